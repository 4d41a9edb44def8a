//! Lines of a terminal: wrapped, indented and coloured.

use anstyle::{AnsiColor, Style};

use super::Printable;

/// Whether a terminal is told colours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Paint {
    /// By ANSI escapes.
    Colour,
    /// Not.
    Plain,
}

/// How loud a text is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tone {
    Certain,
    Likely,
    Possible,
    Heading,
    Command,
    Good,
    Quiet,
    Normal,
}

impl Tone {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Self::Certain => colour(AnsiColor::Red).bold(),
            Self::Likely => colour(AnsiColor::Yellow).bold(),
            Self::Possible => colour(AnsiColor::Cyan).bold(),
            Self::Heading => Style::new().bold(),
            Self::Command => colour(AnsiColor::Cyan),
            Self::Good => colour(AnsiColor::Green),
            Self::Quiet => Style::new().dimmed(),
            Self::Normal => Style::new(),
        }
    }
}

/// Lines that become a text.
pub(super) struct Lines {
    width: usize,
    paint: Paint,
    lines: Vec<String>,
}

impl Lines {
    pub(super) fn new(width: usize, paint: Paint) -> Self {
        Self { width, paint, lines: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn blank(&mut self) {
        self.lines.push(String::new());
    }

    /// A text, wrapped. What of it comes from elsewhere is made printable here. `lead` stands before the first line, and as
    /// many spaces before each other one.
    pub(super) fn wrapped(&mut self, tone: Tone, lead: &str, text: &str) {
        let text = Printable(text).to_string();
        let indent = lead.chars().count();
        for (number, line) in wrap(&text, self.width.saturating_sub(indent)).into_iter().enumerate() {
            let lead = if number == 0 { lead.to_owned() } else { " ".repeat(indent) };
            self.push(tone, &lead, &line);
        }
    }

    /// A text on one line, whatever its length.
    pub(super) fn whole(&mut self, tone: Tone, lead: &str, text: &str) {
        self.push(tone, lead, &Printable(text).to_string());
    }

    /// A text on one line, cut where the line ends.
    pub(super) fn cut(&mut self, tone: Tone, lead: &str, text: &str) {
        let text = Printable(text).to_string();
        let room = self.width.saturating_sub(lead.chars().count());
        if text.chars().count() <= room {
            return self.push(tone, lead, &text);
        }
        let kept: String = text.chars().take(room.saturating_sub(1)).collect();
        self.push(tone, lead, &format!("{}…", kept.trim_end()));
    }

    /// Takes over another's lines.
    pub(super) fn append(&mut self, other: Self) {
        self.lines.extend(other.lines);
    }

    pub(super) fn into_text(self) -> String {
        self.lines.iter().flat_map(|line| [line.trim_end(), "\n"]).collect()
    }

    fn push(&mut self, tone: Tone, lead: &str, text: &str) {
        let style = tone.style();
        let mark = lead.trim_start();
        let indent = lead.get(..lead.len() - mark.len()).unwrap_or_default();
        self.lines.push(match self.paint {
            Paint::Colour if !style.is_plain() => format!("{indent}{style}{mark}{text}{style:#}"),
            Paint::Colour | Paint::Plain => format!("{lead}{text}"),
        });
    }
}

/// Lines of at most `width` characters; a longer word has a line of its own, whole.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut line, mut length) = (String::new(), 0);
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let word_length = word.chars().count();
        if length > 0 && length + 1 + word_length > width {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += word_length;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(width: usize, lead: &str, text: &str) -> String {
        let mut lines = Lines::new(width, Paint::Plain);
        lines.wrapped(Tone::Certain, lead, text);
        lines.into_text()
    }

    #[test]
    fn lines_end_before_the_width_and_go_on_below_their_beginning() {
        assert_eq!(of(12, "  1. ", "renew the certificate"), "  1. renew\n     the\n     certificate\n");
        assert_eq!(of(80, "- ", "renew the certificate"), "- renew the certificate\n");
        assert_eq!(of(9, "", "ab  cd é€ h"), "ab cd é€\nh\n");
    }

    #[test]
    fn a_word_longer_than_a_line_stays_whole() {
        assert_eq!(
            of(20, "- ", "at https://idp.example/jwks it is"),
            "- at\n  https://idp.example/jwks\n  it is\n"
        );
        assert_eq!(of(0, "- ", "a b"), "- a\n  b\n");
        assert_eq!(of(10, "- ", ""), "-\n");
    }

    #[test]
    fn what_is_cut_says_so() {
        let mut lines = Lines::new(12, Paint::Plain);
        lines.cut(Tone::Normal, "  ", "ten letters");
        lines.cut(Tone::Normal, "  ", "ten lette");
        assert_eq!(lines.into_text(), "  ten lette…\n  ten lette\n");
    }

    #[test]
    fn colours_are_told_only_when_asked_for() {
        let mut lines = Lines::new(80, Paint::Colour);
        lines.whole(Tone::Certain, "  ", "red");
        lines.whole(Tone::Normal, "  ", "not");
        assert_eq!(lines.into_text(), "  \u{1b}[1m\u{1b}[31mred\u{1b}[0m\n  not\n");
    }
}
