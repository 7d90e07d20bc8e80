//! Backups in folders, without a process around them.
