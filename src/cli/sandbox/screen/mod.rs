//! The live screen: what it shows is a [`Picture`], drawing one is a pure function ([`draw`]).

pub mod draw;
pub mod live;
mod parts;
pub mod picture;
pub mod svg;

pub use draw::draw;
pub use picture::Picture;
