//! What the gateway does to a request before it is sent and to an answer before it is passed on. One file per
//! policy; `proxy` calls them in the order of annotations §3.0.

pub mod access;
pub mod blocked;
pub mod body;
pub mod client_address;
pub mod compression;
pub mod cookie;
pub mod cors;
pub mod external;
pub mod jwt;
pub mod mirror;
pub mod password;
mod process_key;
pub mod rate;
pub mod redirect;
pub mod request_headers;
pub mod response_headers;
pub mod sign_in;
pub mod snippet;
pub mod texts;
pub mod url;
pub mod variables;
