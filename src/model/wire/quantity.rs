//! Quantities (`3920m`, `4`, `1.5`, `2k`): only as far as the CPU of a Node needs them.

/// Thousandths of the unit, rounded up, as Kubernetes' `MilliValue`. `None` when it is not a
/// quantity or is negative.
pub fn milli(text: &str) -> Option<u64> {
    let text = text.trim_start_matches('+');
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let (numerator, power_of_ten) = match suffix {
        "n" => (1u128, -9i32),
        "u" => (1, -6),
        "m" => (1, -3),
        "" => (1, 0),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        exponent => (1, exponent.strip_prefix(['e', 'E'])?.parse::<i8>().ok()?.into()),
    };
    let mantissa: u128 = format!("{whole}{fraction}").parse().ok()?;
    let mantissa = mantissa.checked_mul(numerator)?;
    let power = power_of_ten + 3 - i32::try_from(fraction.len()).ok()?;
    let value = match u32::try_from(power) {
        Ok(up) => mantissa.checked_mul(10u128.checked_pow(up)?)?,
        Err(_) => mantissa.div_ceil(10u128.checked_pow(power.unsigned_abs()).unwrap_or(u128::MAX)),
    };
    u64::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::milli;

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        for (text, expected) in [
            ("4", Some(4000)),
            ("3920m", Some(3920)),
            ("0.5", Some(500)),
            (".5", Some(500)),
            ("1.0005", Some(1001)),
            ("100u", Some(1)),
            ("2k", Some(2_000_000)),
            ("1Ki", Some(1_024_000)),
            ("12e3", Some(12_000_000)),
            ("1E-3", Some(1)),
            ("0", Some(0)),
            ("", None),
            ("-1", None),
            ("four", None),
            ("1.2.3", None),
        ] {
            assert_eq!(milli(text), expected, "{text}");
        }
    }
}
