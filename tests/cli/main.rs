//! The `silverback` program, run as a user runs it: every command, every exit
//! code, and each cookie of the vectors.

mod commands;
mod program;
mod sessions;
mod vectors;
