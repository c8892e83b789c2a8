//! Points in time as Kubernetes writes them.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time: RFC 3339 text to the nanosecond, as `metav1.Time` and the trigger-time
/// annotation have it. Nanoseconds since the epoch, years 1678 to 2262; what is outside is clamped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(i64);

impl Time {
    /// From nanoseconds since 1970-01-01T00:00:00Z.
    pub const fn from_nanos(nanos: i64) -> Time {
        Time(nanos)
    }

    /// From seconds since 1970-01-01T00:00:00Z.
    pub const fn from_secs(secs: i64) -> Time {
        Time(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// This time minus a duration.
    pub fn minus(self, duration: std::time::Duration) -> Time {
        Time(self.0.saturating_sub(duration.as_nanos().min(i64::MAX as u128) as i64))
    }

    /// The time that this RFC 3339 text gives, with any offset; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Time> {
        let stamp: Timestamp = text.parse().ok()?;
        Some(Time(stamp.as_nanosecond().clamp(i64::MIN as i128, i64::MAX as i128) as i64))
    }
}

impl fmt::Display for Time {
    /// RFC 3339 in UTC; the fraction only if it is not zero, without trailing zeros (Go's
    /// `time.RFC3339Nano`, which is how upstream writes the trigger-time annotation).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_nanosecond(self.0 as i128) {
            Ok(stamp) => write!(f, "{stamp}"),
            Err(_) => f.write_str("1970-01-01T00:00:00Z"),
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Time::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("time {text:?}: expected RFC 3339")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fraction_is_written_only_if_it_is_not_zero() {
        for (text, printed) in [
            ("2026-11-21T06:52:00Z", "2026-11-21T06:52:00Z"),
            ("2026-11-21T06:52:00.120Z", "2026-11-21T06:52:00.12Z"),
            ("2026-11-21T08:52:00.000000001+02:00", "2026-11-21T06:52:00.000000001Z"),
        ] {
            assert_eq!(Time::parse(text).unwrap().to_string(), printed);
        }
        assert_eq!(Time::parse("yesterday"), None);
    }
}
