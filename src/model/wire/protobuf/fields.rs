//! Messages as fields with numbers, without decoding them: for envelopes, and to look for fields of a
//! slice that this program does not know. prost skips these without a word, and a slice is written
//! back whole: what is skipped would be lost.

use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// Numbers of the fields of `discovery/v1.EndpointSlice`, `Endpoint`, `EndpointHints` and
/// `EndpointPort`; all are numbered without gaps.
const SLICE: u32 = 4;
const ENDPOINTS: u32 = 2;
const PORTS: u32 = 3;
const ENDPOINT: u32 = 8;
const CONDITIONS: u32 = 2;
const HINTS: u32 = 8;
const CONDITION: u32 = 3;
const HINT: u32 = 2;
const PORT: u32 = 4;

/// The first field that is not known, for a message: `field 9 of an endpoint`. `None` also where the
/// bytes are no message: that is told by whoever decodes them.
pub fn unknown_of_slice(object: &[u8]) -> Option<String> {
    first(object, &mut |number, value| match number {
        ENDPOINTS => unknown_of_endpoint(value),
        PORTS => unknown(value, PORT, "a port"),
        1..=SLICE => None,
        _ => Some(format!("field {number} of the slice")),
    })
}

fn unknown_of_endpoint(endpoint: &[u8]) -> Option<String> {
    first(endpoint, &mut |number, value| match number {
        CONDITIONS => unknown(value, CONDITION, "conditions"),
        HINTS => unknown(value, HINT, "hints"),
        1..=ENDPOINT => None,
        _ => Some(format!("field {number} of an endpoint")),
    })
}

fn unknown(message: &[u8], known: u32, of: &str) -> Option<String> {
    first(message, &mut |number, _| (number > known).then(|| format!("field {number} of {of}")))
}

/// What `each` first says of a field: its number, and its bytes where it has a length.
fn first<'m, T>(mut message: &'m [u8], each: &mut dyn FnMut(u32, &'m [u8]) -> Option<T>) -> Option<T> {
    while message.has_remaining() {
        let (number, wire) = decode_key(&mut message).ok()?;
        let mut value: &[u8] = &[];
        if wire == WireType::LengthDelimited {
            let length = usize::try_from(decode_varint(&mut message).ok()?).ok()?;
            (value, message) = message.split_at_checked(length)?;
        } else {
            skip_field(wire, number, &mut message, DecodeContext::default()).ok()?;
        }
        if let Some(found) = each(number, value) {
            return Some(found);
        }
    }
    None
}

/// The bytes of the field of this number, where it has a length and the message is one up to there.
pub fn field(message: &[u8], number: u32) -> Option<&[u8]> {
    first(message, &mut |found, value| (found == number).then_some(value))
}
