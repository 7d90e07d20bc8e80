//! The memory of the process: how much there is, how much is held, and who sees it.
//!
//! The account itself is [`barograph_model::MemoryBudget`]; the parts of the program draw from it. Here it is compared
//! with what the operating system says, several times a second, because an account can only know what it is told.

mod machine;
mod process;
mod table;
mod watch;

pub use machine::half_of_the_machine;
pub use process::ProcessMemory;
pub use table::memory_table;
pub use watch::watch_memory;
