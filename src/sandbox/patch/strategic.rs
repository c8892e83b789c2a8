//! Strategic merge patches: lists of some fields are merged element by element instead of replaced
//! (<https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/>), with the directives
//! `$patch`, `$retainKeys`, `$setElementOrder/FIELD` and `$deleteFromPrimitiveList/FIELD`.
//! The kinds whose Go types have no tags know only the lists of `metadata`; everything else in
//! them is replaced.

use serde_json::{Map, Value};

use super::super::kinds::Kind;
use super::super::status::Status;
use super::shapes::{Field, Shape};
use super::{internal, rejected};

const DIRECTIVE: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const ORDER: &str = "$setElementOrder/";
const TAKE_AWAY: &str = "$deleteFromPrimitiveList/";

type Object = Map<String, Value>;

/// The object merged with the patch.
///
/// # Errors
/// 400 when the body is no JSON object or a directive is malformed, 422 for lists of lists, 500 (as
/// kube-apiserver answers) when an element lacks the field by which its list is merged.
pub fn apply(kind: Kind, current: &Value, patch: &[u8]) -> Result<Value, Status> {
    let Some(patch) = super::object(patch, "")? else { return Ok(current.clone()) };
    let current = current.as_object().cloned().unwrap_or_default();
    Ok(Value::Object(merge_objects(current, patch, Shape::of(kind))?))
}

fn merge_objects(mut current: Object, mut patch: Object, shape: &Shape) -> Result<Object, Status> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => {
                patch.remove(DIRECTIVE);
                Ok(patch)
            }
            Some("delete") => Ok(Object::new()),
            _ => Err(unknown_directive(directive, &patch)),
        };
    }
    retain(&mut current, &mut patch)?;
    order(&mut current, &mut patch, shape)?;
    for (name, value) in patch {
        let (name, takes_away) = match name.strip_prefix(TAKE_AWAY) {
            Some(list) => (list.to_owned(), true),
            None if name.starts_with("$deleteFromPrimitiveList") => {
                return Err(Status::bad_request("invalid patch format of primitive list"));
            }
            None => (name, false),
        };
        if value.is_null() {
            current.remove(&name);
            continue;
        }
        let field = shape.field(&name);
        let merged = match (current.remove(&name), value) {
            (Some(Value::Object(stands)), Value::Object(value)) => {
                Some(Value::Object(merge_objects(stands, value, field.shape)?))
            }
            (Some(Value::Array(stands)), Value::Array(value)) => {
                Some(Value::Array(merge_lists(stands, value, field, takes_away)?))
            }
            (stands, _) if takes_away => stands,
            (_, value) => without_directives(without_nulls(value)),
        };
        if let Some(merged) = merged {
            current.insert(name, merged);
        }
    }
    Ok(current)
}

/// `$retainKeys`: what stands and is not named goes.
fn retain(current: &mut Object, patch: &mut Object) -> Result<(), Status> {
    let Some(names) = patch.remove(RETAIN) else { return Ok(()) };
    let malformed = || Status::bad_request("invalid patch format of retainKeys");
    let names = names.as_array().cloned().ok_or_else(malformed)?;
    let named = |name: &str| names.iter().any(|known| known == name);
    let stray = |(name, value): (&String, &Value)| {
        !value.is_null() && !name.starts_with(TAKE_AWAY) && !name.starts_with(ORDER) && !named(name)
    };
    if patch.iter().any(stray) {
        return Err(malformed());
    }
    current.retain(|name, _| named(name));
    Ok(())
}

/// `$setElementOrder/FIELD`: the list is merged here and now, and brought into that order.
fn order(current: &mut Object, patch: &mut Object, shape: &Shape) -> Result<(), Status> {
    let directives: Vec<String> =
        patch.keys().filter(|name| name.starts_with("$setElementOrder")).cloned().collect();
    for directive in directives {
        let wanted = patch.remove(&directive).unwrap_or_default();
        let Value::Array(wanted) = wanted else { return Err(wrong_type("[]interface {}", &wanted)) };
        let malformed = || Status::bad_request("invalid patch format of setElementOrder list");
        let name = directive.strip_prefix(ORDER).ok_or_else(malformed)?;
        let list = |value: Option<&Value>| match value {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list.clone())),
            Some(other) => Err(wrong_type("[]interface {}", other)),
        };
        let stands = list(current.get(name))?;
        let changes = list(patch.get(name))?;
        let field = shape.field(name);
        check_order(changes.as_deref().unwrap_or_default(), &wanted, field.key)?;
        let merged = match (&stands, &changes) {
            (Some(stands), None) => stands.clone(),
            (None, Some(changes)) => match without_directives(Value::Array(changes.clone())) {
                Some(Value::Array(added)) => added,
                _ => continue,
            },
            (Some(stands), Some(changes)) => merge_lists(stands.clone(), changes.clone(), field, false)?,
            (None, None) => continue,
        };
        let (stands, changes) = (stands.unwrap_or_default(), changes.unwrap_or_default());
        one_type(&[&stands, &changes])?;
        let stood = match field.key {
            Some(key) if field.merges => left_behind(stands, &changes, key),
            _ => stands,
        };
        current.insert(name.to_owned(), Value::Array(ordered(merged, &wanted, &stood, field.key)?));
        patch.remove(name);
    }
    Ok(())
}

/// The order of what stood, as kube-apiserver has it after the merge: it merges in place, so that the
/// elements behind a deleted one move up and what is added fills the places that were freed. Only the
/// places that there were at first count.
fn left_behind(mut places: Vec<Value>, changes: &[Value], key: &str) -> Vec<Value> {
    let mut used = places.len();
    let directive = |change: &Value, word: &str| change.get(DIRECTIVE).is_some_and(|given| given == word);
    for change in changes.iter().filter(|change| directive(change, "delete")) {
        while let Some(gone) = place(&places[..used], change, Some(key)) {
            places[gone..used].rotate_left(1);
            used -= 1;
            // The last place keeps a copy of what was there.
            if used > gone {
                places[used] = places[used - 1].clone();
            }
        }
    }
    if changes.iter().any(|change| directive(change, "replace")) {
        return places;
    }
    for change in changes.iter().filter(|change| change.get(DIRECTIVE).is_none()) {
        if used < places.len() && place(&places[..used], change, Some(key)).is_none() {
            places[used] = change.clone();
            used += 1;
        }
    }
    places
}

/// The changes must come in the order that the directive asks for, and be named by it.
fn check_order(changes: &[Value], wanted: &[Value], key: Option<&str>) -> Result<(), Status> {
    if changes.is_empty() || wanted.is_empty() {
        return Ok(());
    }
    let deletes = |change: &Value| change.get(DIRECTIVE).is_some_and(|directive| directive == "delete");
    let mut left = changes.iter().filter(|change| key.is_none() || !deletes(change)).peekable();
    let mut rest = wanted.iter();
    // Other directives are passed over, but not at the end: kube-apiserver takes them for changes there.
    while let (Some(change), false) = (left.peek(), rest.as_slice().is_empty()) {
        if change.get(DIRECTIVE).is_some() {
            left.next();
            continue;
        }
        let change = identity_or_error(change, key)?;
        let Some(next) = rest.next() else { break };
        if identity_or_error(next, key)? == change {
            left.next();
        }
    }
    if left.peek().is_some() {
        return Err(internal(format!(
            "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
            go_list(changes),
            go_list(wanted)
        )));
    }
    Ok(())
}

fn merge_lists(
    stands: Vec<Value>,
    changes: Vec<Value>,
    field: Field,
    takes_away: bool,
) -> Result<Vec<Value>, Status> {
    if !field.merges && !takes_away {
        return Ok(changes);
    }
    if stands.is_empty() && changes.is_empty() {
        return Ok(stands);
    }
    if !one_type(&[&stands, &changes])? {
        if takes_away {
            return Ok(stands.into_iter().filter(|element| !changes.contains(element)).collect());
        }
        let mut all = Vec::new();
        for element in stands.iter().chain(&changes) {
            if !all.contains(element) {
                all.push(element.clone());
            }
        }
        return ordered(all, &changes, &stands, None);
    }
    let Some(key) = field.key else {
        return Err(internal("cannot merge lists without merge key for "));
    };
    let (mut stands, changes) = apply_directives(stands, changes, key)?;
    let before = stands.clone();
    for change in &changes {
        let identity = identity_or_error(change, Some(key))?;
        let Value::Object(change_fields) = change.clone() else { continue };
        match stands.iter_mut().find(|element| element.get(key) == Some(identity)) {
            Some(element) => {
                let old = element.as_object().cloned().unwrap_or_default();
                *element = Value::Object(merge_objects(old, change_fields, field.shape)?);
            }
            None => stands.push(change.clone()),
        }
    }
    ordered(stands, &changes, &before, Some(key))
}

/// `$patch` in elements: what is to go is taken out of what stands; the other changes are left.
fn apply_directives(
    mut stands: Vec<Value>,
    changes: Vec<Value>,
    key: &str,
) -> Result<(Vec<Value>, Vec<Value>), Status> {
    let mut left = Vec::new();
    let mut replaces = false;
    for change in changes {
        let Some(directive) = change.get(DIRECTIVE) else {
            left.push(change);
            continue;
        };
        match directive.as_str() {
            Some("delete") => {
                let identity = identity_or_error(&change, Some(key))?;
                stands.retain(|element| element.get(key) != Some(identity));
            }
            Some("replace") => replaces = true,
            Some("merge") => return Err(internal("merging lists cannot yet be specified in the patch")),
            _ => return Err(unknown_directive(directive, change.as_object().unwrap_or(&Object::new()))),
        }
    }
    Ok(if replaces { (left, Vec::new()) } else { (stands, left) })
}

/// The elements that the patch names in its order, the others in the order in which they stood, and the two
/// woven so that a stander comes before the first named one that stood behind it.
fn ordered(
    merged: Vec<Value>,
    wanted: &[Value],
    stood: &[Value],
    key: Option<&str>,
) -> Result<Vec<Value>, Status> {
    if key.is_some() {
        for element in merged.iter().chain(wanted).chain(stood) {
            identity_or_error(element, key)?;
        }
    }
    let (mut named, mut others): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|element| place(wanted, element, key).is_some());
    named.sort_by_key(|element| place(wanted, element, key));
    others.sort_by_key(|element| place(stood, element, key));
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    let mut all = Vec::new();
    loop {
        let before = match (others.peek(), named.peek()) {
            (None, None) => return Ok(all),
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(other), Some(named)) => match (place(stood, other, key), place(stood, named, key)) {
                (Some(other), Some(named)) => other < named,
                _ => false,
            },
        };
        all.extend(if before { others.next() } else { named.next() });
    }
}

/// What tells an element apart: the field of its key, or itself.
fn identity<'a>(element: &'a Value, key: Option<&str>) -> Option<&'a Value> {
    match key {
        Some(key) => element.get(key),
        None => Some(element),
    }
}

fn identity_or_error<'a>(element: &'a Value, key: Option<&str>) -> Result<&'a Value, Status> {
    if key.is_some() && !element.is_object() {
        return Err(wrong_type("map[string]interface {}", element));
    }
    identity(element, key).ok_or_else(|| {
        let key = key.unwrap_or_default();
        internal(format!("map: {} does not contain declared merge key: {key}", go(element)))
    })
}

fn place(list: &[Value], element: &Value, key: Option<&str>) -> Option<usize> {
    let wanted = identity(element, key)?;
    list.iter().position(|other| identity(other, key) == Some(wanted))
}

/// Whether the elements of some lists, which must be of one type, are objects.
fn one_type(lists: &[&[Value]]) -> Result<bool, Status> {
    let mut first: Option<&Value> = None;
    for element in lists.iter().flat_map(|list| list.iter()) {
        if element.is_array() && first.is_none() {
            return Err(rejected());
        }
        let first = *first.get_or_insert(element);
        if go_type(first) != go_type(element) {
            let lists: Vec<String> = lists.iter().map(|list| go_list(list)).collect();
            return Err(internal(format!("list element types are not identical: [{}]", lists.join(" "))));
        }
    }
    match first {
        Some(element) => Ok(element.is_object()),
        None => Err(internal("no elements in any of the given slices")),
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name, without_nulls(value)))
                .collect(),
        ),
        Value::Array(elements) => Value::Array(elements.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// A value that is new, without the parts that are only instructions; `None` when all of it is one.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(fields) if fields.contains_key(DIRECTIVE) => None,
        Value::Object(fields) => Some(Value::Object(
            fields.into_iter().filter_map(|(name, value)| Some((name, without_directives(value)?))).collect(),
        )),
        Value::Array(elements) => {
            Some(Value::Array(elements.into_iter().filter_map(without_directives).collect()))
        }
        other => Some(other),
    }
}

fn unknown_directive(directive: &Value, patch: &Object) -> Status {
    internal(format!("unknown patch type: {} in map: {}", go(directive), go_map(patch)))
}

fn wrong_type(expected: &str, value: &Value) -> Status {
    internal(format!("expected a {expected}, but received a {}", go_type(value)))
}

/// The Go type that a JSON value is read into.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// A value as Go's `%v` prints it.
fn go(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) => go_list(list),
        Value::Object(fields) => go_map(fields),
        other => other.to_string(),
    }
}

fn go_list(list: &[Value]) -> String {
    let texts: Vec<String> = list.iter().map(go).collect();
    format!("[{}]", texts.join(" "))
}

fn go_map(fields: &Object) -> String {
    let mut texts: Vec<String> = fields.iter().map(|(name, value)| format!("{name}:{}", go(value))).collect();
    texts.sort();
    format!("map[{}]", texts.join(" "))
}
