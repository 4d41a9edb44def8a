//! Times as plans and commands write them.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::seconds;

/// A time such as `300s` or `1h 30m`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Duration);

/// A time from now, such as `30days`, or one that is over, such as `-7h 55m`. In whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FromNow(pub i64);

impl<'de> Deserialize<'de> for FromNow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (sign, length) = text.strip_prefix('-').map_or((1, text.as_str()), |length| (-1, length));
        humantime::parse_duration(length).map(|length| Self(seconds(length).saturating_mul(sign))).map_err(|_| {
            serde::de::Error::custom(format!(
                "{text:?} is no time from now; write one such as \"30days\", or \"-7h 55m\" where it is over"
            ))
        })
    }
}

impl Serialize for FromNow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sign = if self.0 < 0 { "-" } else { "" };
        let length = humantime::format_duration(Duration::from_secs(self.0.unsigned_abs()));
        serializer.collect_str(&format_args!("{sign}{length}"))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map(Self).map_err(|_| {
            serde::de::Error::custom(format!("{text:?} is no time; write one such as \"300s\" or \"1h 30m\""))
        })
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(self.0))
    }
}
