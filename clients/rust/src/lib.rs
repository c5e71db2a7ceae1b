//! Messages and the client of `tokenwire.v1`, generated from the protos.

/// Version 1 of the contract.
#[allow(clippy::all)]
#[path = "generated/tokenwire.v1.rs"]
pub mod v1;
