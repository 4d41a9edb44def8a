//! Which metrics, labels and values a PromQL expression names. Whether it is PromQL at all, promtool says in interop.

use std::collections::BTreeSet;

/// What stands before parentheses and is no function, or between two vectors.
const WORDS: [&str; 12] = [
    "and",
    "bool",
    "by",
    "group_left",
    "group_right",
    "ignoring",
    "inf",
    "offset",
    "on",
    "or",
    "unless",
    "without",
];

/// Those whose parentheses hold labels.
const BEFORE_LABELS: [&str; 6] = ["by", "group_left", "group_right", "ignoring", "on", "without"];

/// A selector: a metric and its matchers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) metric: String,
    /// Label, operator and value.
    pub(crate) matchers: Vec<(String, String, String)>,
    /// Whether `[…]` follows it.
    pub(crate) is_range: bool,
}

/// What an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) selectors: Vec<Selector>,
    /// Labels that vectors are grouped or matched by.
    pub(crate) groupings: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(String),
    /// `[…]`, whatever is in it.
    Range,
}

/// Takes an expression apart. What it does not understand is a panic: nothing is passed over.
pub(crate) fn named(expression: &str) -> Named {
    let tokens = tokens(expression);
    let (mut named, mut rest) = (Named::default(), tokens.as_slice());
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        let Token::Word(word) = token else { continue };
        let is_called = after.first() == Some(&Token::Sign("(".to_owned()));
        let groups =
            after.first().and_then(Token::word).is_some_and(|next| next == "by" || next == "without");
        if BEFORE_LABELS.contains(&word.as_str()) && is_called {
            let end = position(after, ")");
            named.groupings.extend(after[1..end].iter().filter_map(Token::word));
            rest = &after[end + 1..];
        } else if !WORDS.contains(&word.as_str()) && !is_called && !groups {
            let mut selector = Selector { metric: word.clone(), ..Selector::default() };
            if after.first() == Some(&Token::Sign("{".to_owned())) {
                let end = position(after, "}");
                selector.matchers =
                    after[1..end].split(|token| *token == Token::Sign(",".to_owned())).map(matcher).collect();
                rest = &after[end + 1..];
            }
            selector.is_range = rest.first() == Some(&Token::Range);
            named.selectors.push(selector);
        }
    }
    named
}

fn matcher(tokens: &[Token]) -> (String, String, String) {
    match tokens {
        [Token::Word(label), Token::Sign(sign), Token::Text(value)] => {
            (label.clone(), sign.clone(), value.clone())
        }
        other => panic!("no matcher: {other:?}"),
    }
}

fn position(tokens: &[Token], sign: &str) -> usize {
    tokens
        .iter()
        .position(|token| *token == Token::Sign(sign.to_owned()))
        .unwrap_or_else(|| panic!("no {sign}: {tokens:?}"))
}

impl Token {
    fn word(&self) -> Option<String> {
        match self {
            Self::Word(word) => Some(word.clone()),
            _ => None,
        }
    }
}

fn tokens(expression: &str) -> Vec<Token> {
    let (mut tokens, mut rest) = (Vec::new(), expression);
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            c if c.is_whitespace() => c.len_utf8(),
            '"' => {
                let text = &rest[1..];
                let end = text.find('"').unwrap_or_else(|| panic!("a text without an end: {expression}"));
                assert!(!text[..end].contains('\\'), "an escape: {expression}");
                tokens.push(Token::Text(text[..end].to_owned()));
                end + 2
            }
            '[' => {
                tokens.push(Token::Range);
                rest.find(']').unwrap_or_else(|| panic!("a range without an end: {expression}")) + 1
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let end = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':')
                    .unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..end].to_owned()));
                end
            }
            c if c.is_ascii_digit() => {
                rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len())
            }
            c if "=!<>~".contains(c) => {
                let end = rest.find(|c: char| !"=!<>~".contains(c)).unwrap_or(rest.len());
                tokens.push(Token::Sign(rest[..end].to_owned()));
                end
            }
            c if "(){},+-*/".contains(c) => {
                tokens.push(Token::Sign(c.to_string()));
                1
            }
            other => panic!("what is {other:?} in {expression}"),
        };
        rest = &rest[taken..];
    }
    tokens
}

#[test]
fn an_expression_names_its_metrics_matchers_and_groupings() {
    let expression = r#"
        histogram_quantile(0.99, sum by (job, le) (rate(a_bucket{issuer="$issuer", kid=~"x|y"}[5m]))) > 0.5
          and on (job) (b - time() < 14 * 86400) or absent(up{job!="z"})
    "#;
    let selector = |metric: &str, matchers: &[(&str, &str, &str)], is_range| Selector {
        metric: metric.to_owned(),
        matchers: matchers
            .iter()
            .map(|(label, sign, value)| (label.to_string(), sign.to_string(), value.to_string()))
            .collect(),
        is_range,
    };
    let expected = Named {
        selectors: vec![
            selector("a_bucket", &[("issuer", "=", "$issuer"), ("kid", "=~", "x|y")], true),
            selector("b", &[], false),
            selector("up", &[("job", "!=", "z")], false),
        ],
        groupings: ["job", "le"].map(str::to_owned).into(),
    };
    assert_eq!(named(expression), expected);
}
