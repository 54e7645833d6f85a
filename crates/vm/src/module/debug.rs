//! Source names and locations: read when asked for, never trusted, never needed to run.
//!
//! Compilers put one source map, that of the last function, under function 0. Names and locations are therefore
//! used only if there are as many maps as functions.
//!
//! Not here: export names, which are facts ([`Function::export_name`](super::Function::export_name)).
//!
//! # Invariants
//! - I1: a lookup reads at most [`ENTRIES_MAX`] entries and follows at most [`NODES_MAX`] locations, whatever the
//!   tables say: locations may name each other in circles. What is wrong or too much reads as unknown.

use super::Function;
use super::flat::{Budget, TableRef, Vector};

/// Entries of a function's source map that are searched.
const ENTRIES_MAX: usize = 1 << 20;
/// Locations that are followed for one answer.
const NODES_MAX: usize = 32;
/// Bytes of names in one answer.
const TEXT_BYTES: usize = 16 << 10;
const ENTRY_BYTES: usize = 8;

/// Where in the source an instruction comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location(String);

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Function<'_> {
    /// Its name in the source, if the module has a name for every function.
    pub fn debug_name(&self) -> Option<String> {
        let tables = self.module.archive.tables();
        let map = self.source_map(&tables)?.1;
        let budget = &mut Budget::for_tables(TEXT_BYTES);
        Some(map.text(0, "local_name", budget).ok()??.to_owned())
    }

    /// Where the instruction at exactly this address comes from.
    pub fn location(&self, pc: u32) -> Option<Location> {
        let tables = self.module.archive.tables();
        let (database, map) = self.source_map(&tables)?;
        let entries = map.vector(1, "locations", ENTRY_BYTES).ok()??.bytes().as_chunks::<ENTRY_BYTES>().0;
        let entry = entries.iter().take(ENTRIES_MAX).find(|entry| entry[..4] == pc.to_le_bytes())?;
        let index = u32::from_le_bytes(entry[4..].try_into().ok()?);
        let types = database.vector(0, "location_table_type", 1).ok()??.bytes();
        let locations = database.vector(1, "location_table", 4).ok()??;
        let mut writer =
            Writer { types, locations, nodes: NODES_MAX, budget: Budget::for_tables(TEXT_BYTES) };
        Some(Location(writer.node(index)?))
    }

    fn source_map<'b>(&self, tables: &'b [u8]) -> Option<(TableRef<'b>, TableRef<'b>)> {
        let database = TableRef::root(tables, "module").ok()?.table(15, "debug_database").ok()??;
        let maps = database.vector(2, "functions", 4).ok()??;
        if maps.len() != self.module.functions.len() {
            return None;
        }
        Some((database, maps.table(self.ordinal as usize).ok()?))
    }
}

struct Writer<'a> {
    types: &'a [u8],
    locations: Vector<'a>,
    nodes: usize,
    budget: Budget,
}

impl Writer<'_> {
    fn node(&mut self, index: u32) -> Option<String> {
        self.nodes = self.nodes.checked_sub(1)?;
        let index = index as usize;
        let tag = *self.types.get(index)?;
        if index >= self.locations.len() {
            return None;
        }
        let table = |writer: &Self| writer.locations.table(index).ok();
        match tag {
            1 => {
                let table = table(self)?;
                let callee = self.node(table.i32(0, "callee").ok()? as u32)?;
                let caller = self.node(table.i32(1, "caller").ok()? as u32)?;
                Some(format!("{callee} called from {caller}"))
            }
            2 => {
                let table = table(self)?;
                let file = table.text(0, "filename", &mut self.budget).ok()??.to_owned();
                let (line, column) = (table.i32(1, "line").ok()?, table.i32(2, "column").ok()?);
                Some(format!("{file}:{line}:{column}"))
            }
            3 => {
                let parts = table(self)?.vector(1, "locations", 4).ok()??.bytes().as_chunks::<4>().0;
                let texts: Option<Vec<_>> =
                    parts.iter().take(NODES_MAX).map(|part| self.node(u32::from_le_bytes(*part))).collect();
                Some(format!("[{}]", texts?.join(", ")))
            }
            4 => {
                let table = table(self)?;
                let name = table.text(0, "name", &mut self.budget).ok()??.to_owned();
                match self.node(table.i32(1, "child_location").ok()? as u32) {
                    Some(child) => Some(format!("{name} at {child}")),
                    None => Some(name),
                }
            }
            _ => None,
        }
    }
}
