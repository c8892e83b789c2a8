//! The only room that talks to the API server.

pub mod client;
pub mod decode;
pub mod lease;
pub mod limit;
pub mod metrics;
pub mod scrape;
pub mod stream;
pub mod writer;
