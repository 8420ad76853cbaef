//! gob from outside: what Go wrote is read, and written back.

mod vectors;
