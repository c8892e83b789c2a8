//! What is served: `/metrics`, `/livez`, `/readyz` and `/healthz`, over HTTP or HTTPS.
//!
//! [`bind`] takes the socket before anything else is begun, so that a taken port is an error at the
//! start and not after; [`serve`] answers on it until it is told to end. Each connection is a task
//! of its own, its TLS handshake included: a slow client holds up nobody else. This room knows
//! nothing of the rest of the program: what is healthy is asked through closures ([`Check`]), who
//! may scrape through a trait ([`ScrapeAuth`]).

pub mod address;
pub mod auth;
mod connection;
pub mod health;
mod pages;
pub mod process;
pub mod tls;

#[cfg(test)]
mod tests;

pub use address::{BindError, Bound, bind};
pub use auth::{Decision, ScrapeAuth};
pub use connection::serve;
pub use health::Check;
pub use pages::Site;
pub use tls::{Certificates, TlsError};
