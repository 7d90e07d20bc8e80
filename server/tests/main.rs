//! Tests of the program from outside. One binary for all of them, because each links everything.

mod cli;
