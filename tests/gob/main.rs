//! gob from outside: what Go wrote is read, changed and written back; what Go would
//! not write is refused, within bounds; serde types go both ways.

mod malformed;
mod memory;
mod serde_types;
mod vectors;
