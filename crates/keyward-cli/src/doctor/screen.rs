//! The terminal that a report is for.

use std::env;
use std::io::{self, IsTerminal};

use clap::ValueEnum;
use keyward_doctor::report::Paint;

/// Columns where nobody says how many there are.
const WIDTH: usize = 80;

/// Fewer columns make no lines, and more no readable ones.
const NARROWEST: usize = 40;
const WIDEST: usize = 110;

/// When colours are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How wide a terminal is, and whether it is told colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Screen {
    pub(super) width: usize,
    pub(super) paint: Paint,
}

/// What the environment says of it.
#[derive(Debug, Default)]
struct Surroundings {
    is_terminal: bool,
    columns_of_terminal: Option<usize>,
    /// `COLUMNS`.
    columns: Option<String>,
    /// `NO_COLOR` (no-color.org).
    no_color: Option<String>,
    /// `TERM`.
    term: Option<String>,
}

impl Screen {
    /// Standard output.
    pub(super) fn of(color: Color) -> Self {
        let variable = |name: &str| env::var(name).ok();
        let size = terminal_size::terminal_size();
        Self::in_surroundings(
            color,
            &Surroundings {
                is_terminal: io::stdout().is_terminal(),
                columns_of_terminal: size.map(|(width, _)| usize::from(width.0)),
                columns: variable("COLUMNS"),
                no_color: variable("NO_COLOR"),
                term: variable("TERM"),
            },
        )
    }

    fn in_surroundings(color: Color, surroundings: &Surroundings) -> Self {
        let is_set = |variable: &Option<String>| variable.as_ref().is_some_and(|text| !text.is_empty());
        let shows_colours = surroundings.is_terminal
            && !is_set(&surroundings.no_color)
            && surroundings.term.as_deref() != Some("dumb");
        let is_painted = match color {
            Color::Auto => shows_colours,
            Color::Always => true,
            Color::Never => false,
        };
        let columns = || surroundings.columns.as_ref()?.parse().ok();
        let width = surroundings.columns_of_terminal.or_else(columns).unwrap_or(WIDTH);
        Self {
            width: width.clamp(NARROWEST, WIDEST),
            paint: if is_painted { Paint::Colour } else { Paint::Plain },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal() -> Surroundings {
        Surroundings { is_terminal: true, columns_of_terminal: Some(100), ..Surroundings::default() }
    }

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        let paint = |color, surroundings| Screen::in_surroundings(color, &surroundings).paint;
        assert_eq!(paint(Color::Auto, terminal()), Paint::Colour);
        assert_eq!(paint(Color::Never, terminal()), Paint::Plain);
        assert_eq!(paint(Color::Auto, Surroundings::default()), Paint::Plain);
        assert_eq!(paint(Color::Always, Surroundings::default()), Paint::Colour);
        let no_color = Surroundings { no_color: Some("1".to_owned()), ..terminal() };
        assert_eq!(paint(Color::Auto, no_color), Paint::Plain);
        let unset = Surroundings { no_color: Some(String::new()), ..terminal() };
        assert_eq!(paint(Color::Auto, unset), Paint::Colour);
        let dumb = Surroundings { term: Some("dumb".to_owned()), ..terminal() };
        assert_eq!(paint(Color::Auto, dumb), Paint::Plain);
    }

    #[test]
    fn lines_are_as_wide_as_the_terminal_and_readable() {
        let width = |of_terminal, columns: &str| {
            let columns = Some(columns.to_owned());
            let surroundings =
                Surroundings { columns_of_terminal: of_terminal, columns, ..Surroundings::default() };
            Screen::in_surroundings(Color::Auto, &surroundings).width
        };
        assert_eq!(width(Some(100), "60"), 100);
        assert_eq!(width(None, "60"), 60);
        assert_eq!(width(None, "many"), 80);
        assert_eq!((width(Some(4), ""), width(Some(400), "")), (40, 110));
    }
}
