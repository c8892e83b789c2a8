//! How long ago something was, as `kubectl get` prints it.

use jiff::Timestamp;

/// The time between `then` (RFC 3339, empty or absent: `<unknown>`) and `now`, in at most two units.
pub(super) fn since(then: Option<&str>, now: Timestamp) -> String {
    match then.unwrap_or_default().parse::<Timestamp>() {
        Ok(then) => human((now.as_nanosecond() - then.as_nanosecond()) / 1_000_000_000),
        Err(_) => "<unknown>".to_owned(),
    }
}

/// A time in seconds: `90s`, `5m30s`, `47h`, `2d3h`, `3y40d`; the longer, the coarser.
fn human(seconds: i128) -> String {
    const MINUTE: i128 = 60;
    const HOUR: i128 = 60 * MINUTE;
    const DAY: i128 = 24 * HOUR;
    const YEAR: i128 = 365 * DAY;
    // Clocks may differ by a second.
    if seconds < -1 {
        return "<invalid>".to_owned();
    }
    let seconds = seconds.max(0);
    let steps = [
        (2 * MINUTE, 1, "s", 0, ""),
        (10 * MINUTE, MINUTE, "m", 1, "s"),
        (3 * HOUR, MINUTE, "m", 0, ""),
        (8 * HOUR, HOUR, "h", MINUTE, "m"),
        (2 * DAY, HOUR, "h", 0, ""),
        (8 * DAY, DAY, "d", HOUR, "h"),
        (2 * YEAR, DAY, "d", 0, ""),
        (8 * YEAR, YEAR, "y", DAY, "d"),
        (i128::MAX, YEAR, "y", 0, ""),
    ];
    for (below, unit, letter, smaller, small_letter) in steps {
        if seconds < below {
            let whole = seconds / unit;
            let rest = if smaller == 0 { 0 } else { seconds % unit / smaller };
            return match rest {
                0 => format!("{whole}{letter}"),
                rest => format!("{whole}{letter}{rest}{small_letter}"),
            };
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_ago_the_coarser() {
        const HOUR: i128 = 3600;
        const DAY: i128 = 24 * HOUR;
        let cases: [(i128, &str); 26] = [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (121, "2m1s"),
            (599, "9m59s"),
            (600, "10m"),
            (659, "10m"),
            (3 * HOUR - 1, "179m"),
            (3 * HOUR, "3h"),
            (3 * HOUR + 60, "3h1m"),
            (8 * HOUR - 1, "7h59m"),
            (8 * HOUR, "8h"),
            (2 * DAY - 1, "47h"),
            (2 * DAY, "2d"),
            (2 * DAY + HOUR, "2d1h"),
            (8 * DAY - 1, "7d23h"),
            (8 * DAY, "8d"),
            (730 * DAY - 1, "729d"),
            (730 * DAY, "2y"),
            (731 * DAY, "2y1d"),
            (2920 * DAY - 1, "7y364d"),
            (2920 * DAY, "8y"),
            (3000 * DAY, "8y"),
            (36500 * DAY, "100y"),
        ];
        for (seconds, text) in cases {
            assert_eq!(human(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn a_time_that_is_not_there_is_unknown() {
        let now: Timestamp = "2026-01-02T03:04:05.9Z".parse().expect("a time");
        assert_eq!(since(None, now), "<unknown>");
        assert_eq!(since(Some(""), now), "<unknown>");
        assert_eq!(since(Some("2026-01-02T03:04:00Z"), now), "5s");
        assert_eq!(since(Some("2026-01-02T03:04:05.123456Z"), now), "0s");
    }
}
