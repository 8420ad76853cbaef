//! Tests of gob's public API: gob of Go is read, changed and written back; input that Go does
//! not write is refused within bounds; serde types are converted both ways.

mod definitions;
mod editing;
mod malformed;
mod memory;
mod replacing;
mod serde_types;
mod vectors;
mod written_types;
