//! Quantities (`1500m`, `1Gi`, `2e3`) in the form in which Kubernetes prints them.

use std::cmp::Ordering;

const BILLION: i128 = 1_000_000_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Binary,
    Decimal,
    Exponent,
}

/// A quantity in its canonical form: the largest suffix with which the number is whole, with nothing
/// smaller than a billionth (or a thousandth, with `milli`), rounded away from zero. `None`: it is none.
#[must_use]
pub fn canonical_quantity(text: &str, milli: bool) -> Option<String> {
    let (mut nano, mut form) = parsed(text)?;
    let step = if milli { 1_000_000 } else { 1 };
    nano = round(nano, step);
    if form == Form::Binary {
        if nano.abs() < 1024 * BILLION {
            form = Form::Decimal;
        } else {
            return Some(binary(round(nano, BILLION) / BILLION));
        }
    }
    Some(decimal(nano, form))
}

/// Compares two quantities; `None` when one is none.
#[must_use]
pub fn compare_quantities(one: &str, other: &str) -> Option<Ordering> {
    Some(parsed(one)?.0.cmp(&parsed(other)?.0))
}

fn round(nano: i128, step: i128) -> i128 {
    let rest = nano % step;
    if rest == 0 { nano } else { nano - rest + step * nano.signum() }
}

fn binary(mut number: i128) -> String {
    let mut suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].into_iter().peekable();
    let mut suffix = suffixes.next().unwrap_or_default();
    while number != 0 && number % 1024 == 0 && suffixes.peek().is_some() {
        number /= 1024;
        suffix = suffixes.next().unwrap_or_default();
    }
    format!("{number}{suffix}")
}

fn decimal(mut nano: i128, form: Form) -> String {
    if nano == 0 {
        return "0".to_owned();
    }
    let mut exponent = -9;
    while nano % 1000 == 0 && exponent < 18 {
        nano /= 1000;
        exponent += 3;
    }
    if form == Form::Exponent {
        return if exponent == 0 { nano.to_string() } else { format!("{nano}e{exponent}") };
    }
    let suffix = match exponent {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        18 => "E",
        _ => "",
    };
    format!("{nano}{suffix}")
}

/// In billionths of the unit, rounded away from zero.
fn parsed(text: &str) -> Option<(i128, Form)> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let end =
        unsigned.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let (factor, power, form): (i128, i32, Form) = match suffix {
        "n" => (1, -9, Form::Decimal),
        "u" => (1, -6, Form::Decimal),
        "m" => (1, -3, Form::Decimal),
        "" => (1, 0, Form::Decimal),
        "k" => (1, 3, Form::Decimal),
        "M" => (1, 6, Form::Decimal),
        "G" => (1, 9, Form::Decimal),
        "T" => (1, 12, Form::Decimal),
        "P" => (1, 15, Form::Decimal),
        "E" => (1, 18, Form::Decimal),
        "Ki" => (1 << 10, 0, Form::Binary),
        "Mi" => (1 << 20, 0, Form::Binary),
        "Gi" => (1 << 30, 0, Form::Binary),
        "Ti" => (1 << 40, 0, Form::Binary),
        "Pi" => (1 << 50, 0, Form::Binary),
        "Ei" => (1 << 60, 0, Form::Binary),
        exponent => (1, exponent.strip_prefix(['e', 'E'])?.parse::<i8>().ok()?.into(), Form::Exponent),
    };
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    let mantissa = mantissa.checked_mul(factor)?;
    let power = power + 9 - i32::try_from(fraction.len()).ok()?;
    let nano = match u32::try_from(power) {
        Ok(up) => mantissa.checked_mul(10i128.checked_pow(up)?)?,
        Err(_) => {
            let divisor = 10i128.checked_pow(power.unsigned_abs()).unwrap_or(i128::MAX);
            mantissa / divisor + i128::from(mantissa % divisor != 0)
        }
    };
    Some((if negative { -nano } else { nano }, form))
}

/// The sum of two quantities; `None` when one is none.
#[must_use]
pub fn add_quantities(one: &str, other: &str) -> Option<String> {
    let ((one, form), (other, _)) = (parsed(one)?, parsed(other)?);
    let sum = one.checked_add(other)?;
    // Only compared and added again: the form does not matter.
    Some(decimal(sum, if form == Form::Binary { Form::Decimal } else { form }))
}
