//! The Go types behind the API (`k8s.io/api` 0.36.3): which fields there are, and what Go reads and
//! prints for them. The table is `types.txt`, printed from the types themselves by
//! `tests/sandbox_kinds/schema/main.go`.

mod quantity;
mod read;
mod strict;
mod table;

pub use quantity::{add_quantities, canonical_quantity, compare_quantities};
pub use read::{printed, read};
pub use strict::strict_errors;
pub use table::{Field, Struct, Type, struct_named};
