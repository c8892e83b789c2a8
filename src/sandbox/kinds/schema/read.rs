//! Reading an object as Go does: what is unknown is dropped, what has a wrong type is refused, and what
//! is absent or empty is as it is printed after it was stored.

use serde_json::{Map, Value, json};

use super::quantity::canonical_quantity;
use super::table::{Field, Struct, Type, struct_at, struct_named};

const QUANTITY: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/// Reads `value` as the Go struct `id`, without its `kind` and `apiVersion`.
///
/// # Errors
/// What Go says when a field has another type.
pub fn read(id: &str, mut value: Value) -> Result<Value, String> {
    let Some(of) = struct_named(id) else { return Err(format!("no type {id} is known")) };
    let mut reading = Reading { stack: Vec::new(), holder: of.name(), failed: None };
    reading.object(of, &mut value);
    if let Some(map) = value.as_object_mut() {
        map.remove("kind");
        map.remove("apiVersion");
    }
    match reading.failed {
        None => Ok(value),
        Some(why) => Err(why),
    }
}

struct Reading {
    /// The fields' names down to here.
    stack: Vec<&'static str>,
    /// The struct that holds the field.
    holder: &'static str,
    /// The first thing that was wrong.
    failed: Option<String>,
}

impl Reading {
    fn fail(&mut self, why: impl FnOnce() -> String) {
        if self.failed.is_none() {
            self.failed = Some(why());
        }
    }

    fn mismatch(&mut self, value: &Value, go: &str) {
        let word = match value {
            Value::Null => return,
            Value::Bool(_) => "bool".to_owned(),
            Value::Number(number) if go.starts_with("int") => format!("number {number}"),
            Value::Number(_) => "number".to_owned(),
            Value::String(_) => "string".to_owned(),
            Value::Array(_) => "array".to_owned(),
            Value::Object(_) => "object".to_owned(),
        };
        let place = if self.stack.is_empty() {
            "value".to_owned()
        } else {
            format!("struct field {}.{}", self.holder, self.stack.join("."))
        };
        self.fail(|| format!("json: cannot unmarshal {word} into Go {place} of type {go}"));
    }

    fn object(&mut self, of: &'static Struct, value: &mut Value) {
        if !value.is_object() {
            self.mismatch(value, &format!("v1.{}", of.name()));
            *value = Value::Object(Map::new());
        }
        let Value::Object(map) = value else { return };
        let outer = self.holder;
        self.holder = of.name();
        map.retain(|name, inner| {
            let Some(field) = of.field(name) else { return false };
            self.stack.push(field.name);
            self.value(&field.kind, inner);
            self.stack.pop();
            printed_when(field, inner)
        });
        self.holder = outer;
        if of.id == "meta.ObjectMeta" {
            map.remove("managedFields");
        }
        for field in &of.fields {
            if printed_when_absent(field) && !map.contains_key(field.name) {
                map.insert(field.name.to_owned(), zero(&field.kind));
            }
        }
    }

    fn value(&mut self, kind: &Type, value: &mut Value) {
        match kind {
            Type::Raw => {}
            Type::Pointer(of) => {
                if !value.is_null() {
                    self.value(of, value);
                }
            }
            Type::Struct(index) => self.object(struct_at(*index), value),
            Type::List(of) => self.list(kind, of, value),
            Type::Map(of) => self.map(kind, of, value),
            Type::Text(go) => {
                if !value.is_string() {
                    self.mismatch(value, go);
                    *value = "".into();
                }
            }
            Type::Bytes => {
                if !value.is_string() {
                    self.mismatch(value, "[]uint8");
                    *value = Value::Null;
                }
            }
            Type::Bool => {
                if !value.is_boolean() {
                    self.mismatch(value, "bool");
                    *value = false.into();
                }
            }
            Type::Int(go, bits) => self.integer(go, *bits, value),
            Type::Float => {
                if !value.is_number() {
                    self.mismatch(value, "float64");
                    *value = 0.into();
                }
            }
            Type::Quantity => self.quantity(false, value),
            Type::IntOrString => {
                if !value.is_string() {
                    self.integer("int32", 32, value);
                }
            }
            Type::Time => self.time(value, "%Y-%m-%dT%H:%M:%SZ", "2006-01-02T15:04:05Z07:00"),
            Type::MicroTime => self.micro_time(value),
        }
    }

    /// Go wants six digits after the point, no more and no less.
    fn micro_time(&mut self, value: &mut Value) {
        const LAYOUT: &str = "2006-01-02T15:04:05.000000Z07:00";
        if let Some((text, rest)) = value.as_str().and_then(|text| Some((text, text.get(19..)?)))
            && text.parse::<jiff::Timestamp>().is_ok()
        {
            let digits = rest.bytes().skip(1).take_while(u8::is_ascii_digit).count();
            let wrong = match digits {
                6 => None,
                7.. => rest.get(7..).map(|zone| (zone, "Z07:00")),
                _ => Some((rest, ".000000")),
            };
            if let Some((found, wanted)) = wrong {
                let why = format!(
                    "parsing time \"{text}\" as \"{LAYOUT}\": cannot parse \"{found}\" as \"{wanted}\""
                );
                self.fail(|| why);
            }
        }
        self.time(value, "%Y-%m-%dT%H:%M:%S%.6fZ", LAYOUT);
    }

    fn list(&mut self, kind: &Type, of: &Type, value: &mut Value) {
        match value {
            Value::Array(list) => {
                for each in list.iter_mut() {
                    self.value(of, each);
                }
                if list.is_empty() {
                    *value = Value::Null;
                }
            }
            _ => {
                self.mismatch(value, &kind.go());
                *value = Value::Null;
            }
        }
    }

    fn map(&mut self, kind: &Type, of: &Type, value: &mut Value) {
        match value {
            Value::Object(map) => {
                for each in map.values_mut() {
                    match of {
                        Type::Quantity => self.quantity(true, each),
                        _ => self.value(of, each),
                    }
                }
                if map.is_empty() {
                    *value = Value::Null;
                }
            }
            _ => {
                self.mismatch(value, &kind.go());
                *value = Value::Null;
            }
        }
    }

    fn integer(&mut self, go: &str, bits: u32, value: &mut Value) {
        let fits = |number: i64| bits == 64 || i32::try_from(number).is_ok();
        if !value.as_i64().is_some_and(fits) {
            self.mismatch(value, go);
            *value = 0.into();
        }
    }

    /// In lists of resources, what is smaller than a thousandth is rounded up (`milli`).
    fn quantity(&mut self, milli: bool, value: &mut Value) {
        let canonical = match &*value {
            Value::Null => Some("0".to_owned()),
            Value::String(text) => canonical_quantity(text, milli),
            other => canonical_quantity(&other.to_string(), milli),
        };
        *value = canonical
            .unwrap_or_else(|| {
                self.fail(|| QUANTITY.to_owned());
                "0".to_owned()
            })
            .into();
    }

    fn time(&mut self, value: &mut Value, format: &str, layout: &str) {
        let Value::String(text) = &*value else {
            self.mismatch(value, "string");
            *value = Value::Null;
            return;
        };
        match text.parse::<jiff::Timestamp>() {
            Ok(time) => *value = time.strftime(format).to_string().into(),
            Err(_) => {
                let text = text.clone();
                self.fail(|| unparsed_time(&text, layout));
                *value = Value::Null;
            }
        }
    }
}

/// What Go says of a text that is no time: where it parts from the layout.
fn unparsed_time(text: &str, layout: &str) -> String {
    const STEPS: [&str; 11] = ["2006", "-", "01", "-", "02", "T", "15", ":", "04", ":", "05"];
    let told = |rest: &str, step: &str| {
        format!("parsing time \"{text}\" as \"{layout}\": cannot parse \"{rest}\" as \"{step}\"")
    };
    let mut rest = text;
    for step in STEPS {
        let digits = step.starts_with(|first: char| first.is_ascii_digit());
        let fits = rest.get(..step.len()).is_some_and(|part| {
            if digits { part.bytes().all(|byte| byte.is_ascii_digit()) } else { part == step }
        });
        if !fits {
            return told(rest, step);
        }
        let number: u32 = rest[..step.len()].parse().unwrap_or(0);
        let (name, range) = match step {
            "01" => ("month", 1..=12),
            "15" => ("hour", 0..=23),
            "04" => ("minute", 0..=59),
            "05" => ("second", 0..=59),
            _ => ("", 0..=u32::MAX),
        };
        if digits && !range.contains(&number) {
            return format!("parsing time \"{text}\": {name} out of range");
        }
        rest = &rest[step.len()..];
    }
    if layout.contains(".000000") {
        let fraction = rest.strip_prefix('.').and_then(|rest| rest.get(..6));
        match fraction.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) {
            Some(_) => rest = &rest[7..],
            None => return told(rest, ".000000"),
        }
    }
    if rest.starts_with('Z') {
        return format!("parsing time \"{text}\": day out of range");
    }
    told(rest, "Z07:00")
}

/// Whether a field that is there is printed.
fn printed_when(field: &Field, value: &Value) -> bool {
    if field.omit_zero && (value.is_null() || *value == json!({})) {
        return false;
    }
    if !field.omit_empty {
        return true;
    }
    match (&field.kind, value) {
        (Type::Time | Type::MicroTime, _) => true,
        (_, Value::Null | Value::Bool(false)) if !matches!(field.kind, Type::Pointer(_)) => false,
        (Type::Text(_), Value::String(text)) => !text.is_empty(),
        (Type::Int(..) | Type::Float, Value::Number(number)) => number.as_f64() != Some(0.0),
        (_, value) => !value.is_null(),
    }
}

/// Whether a field that is absent is printed.
fn printed_when_absent(field: &Field) -> bool {
    if field.omit_zero {
        return false;
    }
    let always = matches!(
        field.kind,
        Type::Struct(_) | Type::Time | Type::MicroTime | Type::Quantity | Type::IntOrString
    );
    !field.omit_empty || always
}

fn zero(kind: &Type) -> Value {
    match kind {
        Type::Text(_) => "".into(),
        Type::Int(..) | Type::Float | Type::IntOrString => 0.into(),
        Type::Bool => false.into(),
        Type::Quantity => "0".into(),
        Type::Struct(index) => {
            let fields = struct_at(*index).fields.iter().filter(|field| printed_when_absent(field));
            Value::Object(fields.map(|field| (field.name.to_owned(), zero(&field.kind))).collect())
        }
        Type::Bytes | Type::Time | Type::MicroTime | Type::Raw => Value::Null,
        Type::List(_) | Type::Map(_) | Type::Pointer(_) => Value::Null,
    }
}

/// An object in Go's order of fields, as messages show it.
#[must_use]
pub fn printed(id: &str, value: &Value) -> String {
    match (value, struct_named(id)) {
        (Value::Array(list), _) => {
            let list: Vec<String> = list.iter().map(|each| printed(id, each)).collect();
            format!("[{}]", list.join(","))
        }
        (Value::Object(map), Some(of)) => {
            let fields = of.fields.iter().filter_map(|field| Some((field, map.get(field.name)?)));
            let fields: Vec<String> = fields
                .map(|(field, value)| {
                    let mut kind = &field.kind;
                    while let Type::Pointer(of) | Type::List(of) = kind {
                        kind = of;
                    }
                    let text = match kind {
                        Type::Struct(index) => printed(struct_at(*index).id, value),
                        _ => value.to_string(),
                    };
                    format!("\"{}\":{text}", field.name)
                })
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        _ => value.to_string(),
    }
}
