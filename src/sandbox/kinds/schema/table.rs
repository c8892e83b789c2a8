//! The table of types, read once.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The type of a field, as far as JSON can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// With its Go name (`string`, `v1.Protocol`).
    Text(&'static str),
    /// With its Go name and its bits.
    Int(&'static str, u32),
    /// A floating point number.
    Float,
    /// True or false.
    Bool,
    /// Base64.
    Bytes,
    /// `resource.Quantity`.
    Quantity,
    /// `intstr.IntOrString`.
    IntOrString,
    /// Whole seconds.
    Time,
    /// Microseconds.
    MicroTime,
    /// Anything.
    Raw,
    /// Many of a type.
    List(Box<Type>),
    /// Many of a type, by name.
    Map(Box<Type>),
    /// Of a type, or absent; a zero that is given is kept.
    Pointer(Box<Type>),
    /// A [`Struct`] by its place in the table.
    Struct(usize),
}

/// One field of a struct.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name in JSON.
    pub name: &'static str,
    /// What it holds.
    pub kind: Type,
    /// It is not printed when it is empty (structs and times are printed all the same).
    pub omit_empty: bool,
    /// It is not printed when it is zero, whatever it is.
    pub omit_zero: bool,
    /// `patchStrategy`: `merge`, `replace`, `retainKeys`, or several with commas; empty without.
    pub patch_strategy: &'static str,
    /// `patchMergeKey`; empty without.
    pub patch_key: &'static str,
}

/// A Go struct.
#[derive(Clone, Debug)]
pub struct Struct {
    /// `core.Service`: the last folder but the version, and the name.
    pub id: &'static str,
    /// In Go's order, in which they are printed.
    pub fields: Vec<Field>,
    sorted: Vec<usize>,
}

impl Struct {
    /// `Service`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.id.split_once('.').map_or(self.id, |(_, name)| name)
    }

    /// A field by its name in JSON.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        let at = self.sorted.binary_search_by(|index| self.fields[*index].name.cmp(name)).ok()?;
        Some(&self.fields[self.sorted[at]])
    }
}

impl Type {
    /// What Go calls it.
    #[must_use]
    pub fn go(&self) -> String {
        match self {
            Type::Text(name) | Type::Int(name, _) => (*name).to_owned(),
            Type::Float => "float64".to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::Bytes => "[]uint8".to_owned(),
            Type::Quantity => "resource.Quantity".to_owned(),
            Type::IntOrString => "intstr.IntOrString".to_owned(),
            Type::Time => "v1.Time".to_owned(),
            Type::MicroTime => "v1.MicroTime".to_owned(),
            Type::Raw => "v1.FieldsV1".to_owned(),
            Type::List(of) => format!("[]{}", of.go()),
            // The only maps of quantities are these.
            Type::Map(of) if **of == Type::Quantity => "v1.ResourceList".to_owned(),
            Type::Map(of) => format!("map[string]{}", of.go()),
            Type::Pointer(of) => of.go(),
            Type::Struct(index) => format!("v1.{}", struct_at(*index).name()),
        }
    }
}

struct Table {
    structs: Vec<Struct>,
    places: HashMap<&'static str, usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| table(include_str!("types.txt")));

/// A struct by its id: `core.Service`, `meta.ObjectMeta`.
#[must_use]
pub fn struct_named(id: &str) -> Option<&'static Struct> {
    TABLE.places.get(id).map(|index| struct_at(*index))
}

/// The struct of [`Type::Struct`].
pub(super) fn struct_at(index: usize) -> &'static Struct {
    &TABLE.structs[index]
}

fn table(text: &'static str) -> Table {
    let names = text.lines().filter(|line| !line.starts_with(' '));
    let places: HashMap<_, _> = names.enumerate().map(|(index, name)| (name, index)).collect();
    let mut structs: Vec<Struct> = Vec::new();
    for line in text.lines() {
        if !line.starts_with(' ') {
            structs.push(Struct { id: line, fields: Vec::new(), sorted: Vec::new() });
            continue;
        }
        let mut words = line.split_whitespace();
        let (name, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut field = Field {
            name,
            kind: parsed(kind, &places),
            omit_empty: false,
            omit_zero: false,
            patch_strategy: "",
            patch_key: "",
        };
        for word in words {
            match word.split_once('=') {
                Some(("patch", strategy)) => field.patch_strategy = strategy,
                Some(("key", key)) => field.patch_key = key,
                _ if word == "omitempty" => field.omit_empty = true,
                _ => field.omit_zero = true,
            }
        }
        if let Some(last) = structs.last_mut() {
            last.fields.push(field);
        }
    }
    for each in &mut structs {
        each.sorted = (0..each.fields.len()).collect();
        each.sorted.sort_by_key(|index| each.fields[*index].name);
    }
    Table { structs, places }
}

fn parsed(text: &'static str, places: &HashMap<&'static str, usize>) -> Type {
    if let Some(of) = text.strip_prefix("[]") {
        return Type::List(Box::new(parsed(of, places)));
    }
    if let Some(of) = text.strip_prefix("{}") {
        return Type::Map(Box::new(parsed(of, places)));
    }
    if let Some(of) = text.strip_prefix('*') {
        return Type::Pointer(Box::new(parsed(of, places)));
    }
    let (kind, name) = text.split_once('=').unwrap_or((text, text));
    match kind {
        "string" => Type::Text(name),
        "int32" => Type::Int(name, 32),
        "int64" => Type::Int(name, 64),
        "float64" => Type::Float,
        "bool" => Type::Bool,
        "bytes" => Type::Bytes,
        "quantity" => Type::Quantity,
        "intorstring" => Type::IntOrString,
        "time" => Type::Time,
        "microtime" => Type::MicroTime,
        "raw" => Type::Raw,
        id => places.get(id).map_or(Type::Raw, |index| Type::Struct(*index)),
    }
}
