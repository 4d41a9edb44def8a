//! To paste into an incident channel.
//!
//! What comes from elsewhere stands in prose with every mark escaped, or in code that it cannot end. In neither does it ping
//! anybody: `@`, `<` and `#` are followed by a space of no width, for channels that look for names before they look for marks.

use std::fmt::Write as _;

use super::words::{consequences, headline, in_words, looked_at};
use super::{Printable, Report};
use crate::diagnosis::Finding;

/// After what a channel might take for the beginning of a name, of a link or of a number of an issue.
const NO_WIDTH: char = '\u{200b}';

/// What pings people even from a block of code, where a program posts it. No command of ours has one.
const MENTIONS: [&str; 7] = ["<!", "<@", "<#", "@all", "@channel", "@everyone", "@here"];

pub(super) fn write(report: &Report<'_>) -> String {
    let mut page = String::new();
    let (facts, diagnosis) = (report.facts, report.diagnosis);
    if diagnosis.findings.is_empty() {
        page.push_str(if diagnosis.healthy.is_empty() {
            "**Nothing could be looked at.**\n"
        } else {
            "**Nothing is wrong in what was looked at.**\n"
        });
    }
    for finding in &diagnosis.findings {
        add(&mut page, finding);
    }
    add_list(&mut page, "Healthy", diagnosis.healthy.iter().map(in_words));
    add_list(&mut page, "Not seen", diagnosis.unseen.iter().cloned());
    let _ = write!(page, "\n{}\n", prose(&looked_at(facts)));
    page
}

fn add(page: &mut String, finding: &Finding) {
    if !page.is_empty() {
        page.push('\n');
    }
    let (code, certainty, who) = (finding.code, finding.certainty.word(), finding.code.who().phrase());
    let _ = write!(
        page,
        "**{code}** {}\n\n*{certainty}; to be mended by {who}; more: `keyward doctor explain {code}`*\n",
        prose(&headline(finding))
    );
    if !finding.evidence.is_empty() {
        page.push_str("\nSeen:\n\n");
        for fact in &finding.evidence {
            let _ = writeln!(page, "- {}", code_span(fact));
        }
    }
    if !finding.fix.is_empty() {
        page.push_str("\nTo do:\n\n");
        for (number, step) in (1..).zip(&finding.fix) {
            let _ = writeln!(page, "{number}. {}", prose(&step.what));
            if let Some(command) = &step.command {
                add_command(page, command);
            }
        }
    }
    let consequences = consequences(finding);
    if !consequences.is_empty() {
        page.push_str("\nFollows from it:\n\n");
        for finding in consequences {
            let _ = writeln!(page, "- **{}** {}", finding.code, prose(&headline(finding)));
        }
    }
}

fn add_list(page: &mut String, title: &str, texts: impl Iterator<Item = String>) {
    let mut texts = texts.peekable();
    if texts.peek().is_some() {
        let _ = write!(page, "\n{title}:\n\n");
        for text in texts {
            let _ = writeln!(page, "- {}", prose(&text));
        }
    }
}

/// A command in a block whose fence is longer than any in it. The octets are the command's own, so that it can be copied; but
/// for what a channel would take for a mention.
fn add_command(page: &mut String, command: &str) {
    let command = Printable(command).to_string();
    let longest = command.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let command = MENTIONS.iter().fold(command, |command, mention| {
        let (open, rest) = mention.split_at(1);
        command.replace(mention, &format!("{open}{NO_WIDTH}{rest}"))
    });
    let _ = writeln!(page, "   {fence}sh\n   {command}\n   {fence}");
}

/// Text among text, without the meaning that Markdown gives to its characters.
fn prose(text: &str) -> String {
    let text = Printable(text).to_string();
    let mut escaped = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        let is_inside = |letter: char| letter.is_alphanumeric();
        match letter {
            // Within a word it marks nothing (CommonMark §6.2), and names are full of it.
            '_' if is_inside(before) && letters.peek().copied().is_some_and(is_inside) => escaped.push('_'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '|' | '&' | '>' => escaped.extend(['\\', letter]),
            '<' => escaped.extend(['\\', letter, NO_WIDTH]),
            '@' | '#' => escaped.extend([letter, NO_WIDTH]),
            _ => escaped.push(letter),
        }
        before = letter;
    }
    escaped
}

/// Text in a span of code. Not every channel knows spans with longer fences, so that a backtick becomes another mark.
fn code_span(text: &str) -> String {
    let text = Printable(text).to_string().replace('`', "'");
    let mut span = String::with_capacity(text.len() + 2);
    span.push('`');
    for letter in text.trim().chars() {
        span.push(letter);
        if matches!(letter, '@' | '<' | '#') {
            span.push(NO_WIDTH);
        }
    }
    span.push('`');
    span
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_has_no_marks_and_pings_nobody() {
        assert_eq!(prose("*a* [b](c) `d` ~~e~~ |"), "\\*a\\* \\[b\\](c) \\`d\\` \\~\\~e\\~\\~ \\|");
        assert_eq!(prose("@here <!channel> #12"), "@\u{200b}here \\<\u{200b}!channel\\> #\u{200b}12");
        assert_eq!(prose("&#64;here"), "\\&#\u{200b}64;here");
        assert_eq!(prose("jwks_uri _x_ a\nb"), "jwks_uri \\_x\\_ a\\\\u000ab");
    }

    #[test]
    fn a_span_is_not_ended_from_within() {
        assert_eq!(code_span("a` @here `b``"), "`a' @\u{200b}here 'b''`");
        assert_eq!(code_span("``"), "`''`");
        assert_eq!(code_span("a\n\nb"), "`a\\u000a\\u000ab`");
    }

    #[test]
    fn a_block_is_not_ended_from_within() {
        let mut page = String::new();
        add_command(&mut page, "echo '```\n<!channel>'");
        assert_eq!(page, "   ````sh\n   echo '```\\u000a<\u{200b}!channel>'\n   ````\n");
        let mut page = String::new();
        add_command(&mut page, "jq . < facts.json | mail ops@example");
        assert_eq!(page, "   ```sh\n   jq . < facts.json | mail ops@example\n   ```\n");
    }
}
