//! Bodies in Kubernetes' protobuf, which kubectl sends where it knows a kind by heart (`kubectl create
//! deployment`, `create service`, …). They are turned into the JSON that the same client would send.
//!
//! The encoding: <https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding>. Answers are always
//! JSON, which such clients accept as well.

mod core;
mod core_pods;
mod core_volumes;
mod groups;
mod meta;
mod shape;

use jiff::Timestamp;
use serde_json::{Map, Number, Value};

use self::shape::{Field, Form, Shape, Type};

/// The media type.
pub const MEDIA: &str = "application/vnd.kubernetes.protobuf";

/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// The JSON of a body, with `apiVersion` and `kind`.
///
/// # Errors
/// A sentence, for bytes that are no such body or an object of a kind that is not known here.
pub fn decode(body: &[u8]) -> Result<Value, String> {
    let rest = body
        .strip_prefix(MAGIC)
        .ok_or("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")?;
    let (mut version, mut kind, mut raw) = (String::new(), String::new(), Vec::new());
    for (number, value) in fields(rest)? {
        match (number, value) {
            (1, Wire::Bytes(bytes)) => {
                for (number, value) in fields(bytes)? {
                    match (number, value) {
                        (1, Wire::Bytes(bytes)) => version = text(bytes)?,
                        (2, Wire::Bytes(bytes)) => kind = text(bytes)?,
                        _ => {}
                    }
                }
            }
            (2, Wire::Bytes(bytes)) => raw = bytes.to_vec(),
            _ => {}
        }
    }
    let shape = shape_of(&version, &kind)
        .ok_or_else(|| format!("no kind {kind:?} is registered for version {version:?} in protobuf"))?;
    let mut object = Map::new();
    message(&raw, shape, &mut object)?;
    object.insert("apiVersion".to_owned(), version.into());
    object.insert("kind".to_owned(), kind.into());
    Ok(Value::Object(object))
}

fn shape_of(version: &str, kind: &str) -> Option<&'static Shape> {
    Some(match (version, kind) {
        // Of whatever group the request is.
        (_, "DeleteOptions") => &meta::META_DELETE_OPTIONS,
        ("v1", "Namespace") => &core::CORE_NAMESPACE,
        ("v1", "Node") => &core::CORE_NODE,
        ("v1", "Pod") => &core_pods::CORE_POD,
        ("v1", "Service") => &core::CORE_SERVICE,
        ("v1", "Endpoints") => &core::CORE_ENDPOINTS,
        ("v1", "Event") => &core::CORE_EVENT,
        ("v1", "Binding") => &core::CORE_BINDING,
        ("apps/v1", "Deployment") => &groups::APPS_DEPLOYMENT,
        ("apps/v1", "ReplicaSet") => &groups::APPS_REPLICA_SET,
        ("discovery.k8s.io/v1", "EndpointSlice") => &groups::DISCOVERY_ENDPOINT_SLICE,
        ("coordination.k8s.io/v1", "Lease") => &groups::COORDINATION_LEASE,
        ("events.k8s.io/v1", "Event") => &groups::EVENTS_EVENT,
        ("autoscaling/v1", "Scale") => &groups::AUTOSCALING_SCALE,
        _ => return None,
    })
}

/// The value of a field as it is on the wire.
#[derive(Clone, Copy)]
enum Wire<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or("unexpected EOF")?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("proto: integer overflow".to_owned())
}

fn taken<'a>(bytes: &mut &'a [u8], length: u64) -> Result<&'a [u8], String> {
    let length = usize::try_from(length).map_err(|_| "unexpected EOF")?;
    let (taken, rest) = bytes.split_at_checked(length).ok_or("unexpected EOF")?;
    *bytes = rest;
    Ok(taken)
}

/// The fields of a message, as they come.
fn fields(mut bytes: &[u8]) -> Result<Vec<(u64, Wire<'_>)>, String> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let value = match tag & 7 {
            0 => Wire::Number(varint(&mut bytes)?),
            1 => Wire::Bytes(taken(&mut bytes, 8)?),
            2 => {
                let length = varint(&mut bytes)?;
                Wire::Bytes(taken(&mut bytes, length)?)
            }
            5 => Wire::Bytes(taken(&mut bytes, 4)?),
            other => return Err(format!("proto: illegal wireType {other}")),
        };
        fields.push((tag >> 3, value));
    }
    Ok(fields)
}

fn message(bytes: &[u8], shape: &Shape, object: &mut Map<String, Value>) -> Result<(), String> {
    for (number, wire) in fields(bytes)? {
        let Some(field) = shape.0.iter().find(|field| field.number == number) else { continue };
        put(field, wire, object)?;
    }
    Ok(())
}

fn put(field: &Field, wire: Wire<'_>, object: &mut Map<String, Value>) -> Result<(), String> {
    match (field.form, field.of) {
        (Form::Inline, Type::Message(shape)) => message(sized(wire)?, shape, object)?,
        (Form::List, of) => {
            if let Some(value) = value(of, wire)?
                && let Value::Array(list) =
                    object.entry(field.name).or_insert_with(|| Value::Array(Vec::new()))
            {
                list.push(value);
            }
        }
        (Form::Map, of) => {
            let (mut name, mut held) = (String::new(), None);
            for (number, wire) in fields(sized(wire)?)? {
                match number {
                    1 => name = text(sized(wire)?)?,
                    2 => held = value(of, wire)?,
                    _ => {}
                }
            }
            if let Value::Object(map) = object.entry(field.name).or_insert_with(|| Value::Object(Map::new()))
            {
                map.insert(name, held.unwrap_or_else(|| zero(of)));
            }
        }
        (form, of) => {
            if let Some(value) = value(of, wire)?
                && (form == Form::Kept || !is_zero(&value))
            {
                object.insert(field.name.to_owned(), value);
            }
        }
    }
    Ok(())
}

/// Zero values that JSON leaves out; an empty message is none.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// What a map holds under a name that comes without a value.
fn zero(of: Type) -> Value {
    match of {
        Type::Text | Type::Time | Type::MicroTime => "".into(),
        Type::Quantity => "0".into(),
        Type::Number | Type::IntOrString => 0.into(),
        Type::Truth => false.into(),
        Type::Raw => Value::Null,
        Type::Message(_) => Value::Object(Map::new()),
    }
}

/// A value in JSON; `None` for a time that is not set.
fn value(of: Type, wire: Wire<'_>) -> Result<Option<Value>, String> {
    Ok(Some(match of {
        Type::Text => text(sized(wire)?)?.into(),
        Type::Number => Value::Number(Number::from(number(wire)?)),
        Type::Truth => (number(wire)? != 0).into(),
        Type::Quantity => {
            let mut quantity = "0".to_owned();
            for (number, wire) in fields(sized(wire)?)? {
                if number == 1 {
                    quantity = text(sized(wire)?)?;
                }
            }
            quantity.into()
        }
        Type::IntOrString => int_or_string(sized(wire)?)?,
        Type::Raw => {
            let mut raw = Value::Null;
            for (number, wire) in fields(sized(wire)?)? {
                if number == 1 {
                    raw = serde_json::from_slice(sized(wire)?).map_err(|error| error.to_string())?;
                }
            }
            raw
        }
        Type::Time => return time(sized(wire)?, "%Y-%m-%dT%H:%M:%SZ"),
        Type::MicroTime => return time(sized(wire)?, "%Y-%m-%dT%H:%M:%S.%6fZ"),
        Type::Message(shape) => {
            let mut object = Map::new();
            message(sized(wire)?, shape, &mut object)?;
            Value::Object(object)
        }
    }))
}

fn int_or_string(bytes: &[u8]) -> Result<Value, String> {
    let (mut is_text, mut whole, mut words) = (false, 0, String::new());
    for (field, wire) in fields(bytes)? {
        match field {
            1 => is_text = number(wire)? == 1,
            2 => whole = number(wire)?,
            3 => words = text(sized(wire)?)?,
            _ => {}
        }
    }
    Ok(if is_text { words.into() } else { whole.into() })
}

fn time(bytes: &[u8], form: &str) -> Result<Option<Value>, String> {
    let (mut seconds, mut nanoseconds) = (0, 0);
    let fields = fields(bytes)?;
    if fields.is_empty() {
        return Ok(None);
    }
    for (field, wire) in fields {
        match field {
            1 => seconds = number(wire)?,
            2 => nanoseconds = i32::try_from(number(wire)?).unwrap_or(0),
            _ => {}
        }
    }
    let time = Timestamp::new(seconds, nanoseconds).map_err(|error| error.to_string())?;
    Ok(Some(time.strftime(form).to_string().into()))
}

fn number(wire: Wire<'_>) -> Result<i64, String> {
    match wire {
        // Negative numbers are written as their two's complement.
        Wire::Number(number) => Ok(number.cast_signed()),
        Wire::Bytes(_) => Err("proto: wrong wireType".to_owned()),
    }
}

fn sized(wire: Wire<'_>) -> Result<&[u8], String> {
    match wire {
        Wire::Bytes(bytes) => Ok(bytes),
        Wire::Number(_) => Err("proto: wrong wireType".to_owned()),
    }
}

fn text(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string())
}
