//! What a provider writes down of the clients that it refuses: the only place where an opaque answer has a cause.

use std::collections::VecDeque;
use std::fmt;

use crate::client::Cause;
use crate::clock::rfc3339;
use crate::fault::Endpoint;
use crate::plan::ErrorStyle;

/// How many lines are kept.
const LINES: usize = 1024;

/// The last lines of a provider's log.
#[derive(Debug, Default)]
pub(crate) struct ProviderLog {
    lines: VecDeque<String>,
    written: u64,
}

/// Lines of a provider's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogLines {
    /// The lines, without line breaks, the earliest first.
    pub lines: Vec<String>,
    /// Where the next one will stand.
    pub next: u64,
}

/// Somebody who was refused.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) endpoint: Endpoint,
    /// What was answered.
    pub(crate) status: u16,
    pub(crate) error: &'a str,
    /// Who it was, as they say themselves.
    pub(crate) client: Option<String>,
    /// Why, in words.
    pub(crate) cause: String,
    /// The same, where it was an assertion.
    pub(crate) asserted: Option<Cause>,
}

impl ProviderLog {
    pub(crate) fn write(&mut self, wall: i64, style: ErrorStyle, entry: &Entry<'_>) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        let time = rfc3339(wall);
        self.lines.push_back(match style {
            ErrorStyle::Rfc => format!("time=\"{time}\" level=error msg=\"client refused\" {entry}"),
            ErrorStyle::Zitadel => entry.as_zitadel(&time),
        });
        self.written += 1;
    }

    /// What was written from this place on, as far as it is kept.
    pub(crate) fn since(&self, place: u64) -> LogLines {
        let first = self.written.saturating_sub(self.lines.len() as u64);
        let missed = usize::try_from(place.saturating_sub(first)).unwrap_or(usize::MAX);
        LogLines { lines: self.lines.iter().skip(missed).cloned().collect(), next: self.written }
    }
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = if self.endpoint == Endpoint::Token { "token" } else { "introspection" };
        write!(f, "endpoint={endpoint} status={} error={}", self.status, self.error)?;
        if let Some(client) = &self.client {
            write!(f, " client_id={client}")?;
        }
        write!(f, " cause=\"{}\"", self.cause)
    }
}

impl Entry<'_> {
    /// As Zitadel 2.64 writes it: whatever of a key does not fit, its query finds no row.
    fn as_zitadel(&self, time: &str) -> String {
        let inner = match self.asserted {
            Some(Cause::KeyNotProjected | Cause::UnknownKey | Cause::WrongKind) => {
                "error fetching keys: ID=QUERY-Tha6f Message=Errors.AuthNKey.NotFound Parent=(sql: no rows in result set)"
                    .to_owned()
            }
            _ => self.cause.clone(),
        };
        let (id, shown) = match self.status {
            500 => ("OIDC-AhX2u", "Errors.Internal"),
            _ => ("OIDC-Wj2Vb", "Errors.User.NotAllowed"),
        };
        format!(
            "time=\"{time}\" level=error msg=\"request error\" oidc_error.parent=\"ID={id} Message={shown} \
             Parent=(invalid signature ({inner}))\" oidc_error.description={shown} oidc_error.type={} status_code={}",
            self.error, self.status
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(cause: Cause) -> Entry<'static> {
        let (endpoint, error) = (Endpoint::Token, "server_error");
        let client = Some("robot".to_owned());
        Entry { endpoint, status: 500, error, client, cause: cause.to_string(), asserted: Some(cause) }
    }

    #[test]
    fn zitadel_says_of_three_causes_that_it_found_no_row_and_the_others_are_told() {
        let mut log = ProviderLog::default();
        for cause in [Cause::KeyNotProjected, Cause::WrongKind, Cause::KeyDisabled] {
            log.write(1_798_761_600, ErrorStyle::Zitadel, &entry(cause));
        }
        let lines = log.since(0).lines;
        assert!(lines[0].starts_with("time=\"2027-01-01T00:00:00Z\" level=error"), "{}", lines[0]);
        assert!(lines[0].contains("OIDC-AhX2u") && lines[0].contains("QUERY-Tha6f"), "{}", lines[0]);
        assert_eq!(lines[0], lines[1]);
        assert!(lines[2].contains("(the key is disabled)") && !lines[2].contains("QUERY"), "{}", lines[2]);
    }

    #[test]
    fn as_many_lines_are_kept_as_there_is_room_for_and_places_go_on() {
        let mut log = ProviderLog::default();
        for _ in 0..LINES + 2 {
            log.write(0, ErrorStyle::Rfc, &entry(Cause::KeyExpired));
        }
        assert_eq!(log.since(0).lines.len(), LINES);
        let LogLines { lines, next } = log.since(LINES as u64);
        assert_eq!((lines.len(), next), (2, LINES as u64 + 2));
        assert_eq!(log.since(next).lines, Vec::<String>::new());
        assert!(
            lines[0].ends_with("error=server_error client_id=robot cause=\"the key has expired\""),
            "{}",
            lines[0]
        );
    }
}
