//! From FlatBuffer tables to the model, with every rule that concerns tables alone.
//!
//! Not here: reading tables safely ([`flat`](super::flat)); rules about code ([`crate::verify`]).
//!
//! # Invariants
//! - I1: exports name functions, rodata lies in the file, code ranges are disjoint, ascending and in the code.
//! - I2: nothing is allocated for a count before the bytes that back it are known to exist, and all is charged.

use super::flat::{Budget, TableRef};
use super::{Attrs, Dependency, Export, FunctionModel, Import, Model, Scalar, Signature};
use crate::{archive::Archive, isa};
use bytes::Bytes;
use raddle_status::{Code, Error, Result, ResultExt};

const FEATURES: u32 = 0xF;
const OPTIONAL: u32 = 2;
const REQUIRED: u32 = 1;
const DESCRIPTOR_BYTES: usize = 20;
/// A parameter in the model against a letter in the file.
const PARAM_BYTES: usize = 24;
const VALUES_MAX: u32 = 0x7FFF;
const REFS_MAX: u32 = 0x3FFF;

/// The model of the module in this archive.
pub(crate) fn parse(archive: Archive) -> Result<Model> {
    let tables = archive.tables();
    let budget = &mut Budget::for_tables(tables.len());
    let root = TableRef::root(&tables, "module")?;
    let name = root.name(0, "name", budget)?;
    parse_root(root, &archive, &tables, budget).within(|| format!("in the tables of module {name}"))
}

fn parse_root(root: TableRef<'_>, archive: &Archive, tables: &Bytes, budget: &mut Budget) -> Result<Model> {
    check_version(root.u32(13, "bytecode_version", 0)?)?;
    let requirements = root.u32(2, "requirements", 0)?;
    if requirements & !FEATURES != 0 {
        return Err(invalid(format!("requirements {requirements:#x} ask for features that don't exist")));
    }
    let code = root.vector(14, "bytecode_data", 1)?.map_or(&[][..], |vector| vector.bytes());
    let functions = parse_functions(root, code.len(), budget)?;
    let exports = parse_exports(root, functions.len(), budget)?;
    let state = root.table(11, "module_state")?;
    let count = |slot, field| match &state {
        None => Ok(0),
        Some(state) => unsigned(state.i32(slot, field)?, field),
    };
    Ok(Model {
        archive: archive.clone(),
        name: root.name(0, "name", budget)?.into(),
        version: root.u32(1, "version", 0)?,
        requirements,
        attrs: parse_attrs(root, 3, budget)?,
        types: root
            .tables(4, "types", budget)?
            .map(|table| Ok(table?.name(0, "full_name", budget)?.into()))
            .collect::<Result<_>>()?,
        dependencies: parse_dependencies(root, budget)?,
        imports: parse_imports(root, budget)?,
        exports,
        functions,
        code: code.into(),
        rodata: parse_rodata(root, archive, tables, budget)?,
        global_bytes: count(0, "global_bytes_capacity")?,
        global_refs: count(1, "global_ref_count")?,
    })
}

fn check_version(version: u32) -> Result {
    if version == isa::BYTECODE_VERSION {
        return Ok(());
    }
    let (major, minor) = (version >> 16, version & 0xFFFF);
    Err(invalid(format!("bytecode version {major}.{minor} is not 17.0: compile with a matching release")))
}

fn parse_attrs(table: TableRef<'_>, slot: usize, budget: &mut Budget) -> Result<Attrs> {
    let tables = table.tables(slot, "attrs", budget)?;
    let attr = |table: Result<TableRef<'_>>| {
        let table = table?;
        let key = table.name(0, "key", budget)?.into();
        let value =
            table.text(1, "value", budget)?.ok_or_else(|| invalid("attrs.value is missing".to_owned()))?;
        Ok((key, value.into()))
    };
    tables.map(attr).collect()
}

fn parse_dependencies(root: TableRef<'_>, budget: &mut Budget) -> Result<Box<[Dependency]>> {
    let tables = root.tables(5, "dependencies", budget)?;
    let dependency = |table: Result<TableRef<'_>>| {
        let table = table?;
        Ok(Dependency {
            name: table.name(0, "name", budget)?.into(),
            minimum_version: table.u32(1, "minimum_version", 0)?,
            is_optional: table.u32(2, "flags", REQUIRED)? & OPTIONAL != 0,
        })
    };
    tables.map(dependency).collect()
}

fn parse_imports(root: TableRef<'_>, budget: &mut Budget) -> Result<Box<[Import]>> {
    let tables = root.tables(6, "imported_functions", budget)?;
    let import = |table: Result<TableRef<'_>>| {
        let table = table?;
        let full_name = table.name(0, "full_name", budget)?;
        let signature = match table.table(1, "signature")? {
            Some(signature) => {
                parse_signature(signature, budget).within(|| format!("in import {full_name}"))?
            }
            None => Signature::parse("")?,
        };
        let is_optional = table.u32(2, "flags", REQUIRED)? & OPTIONAL != 0;
        Ok(Import { full_name: full_name.into(), signature, is_optional })
    };
    tables.map(import).collect()
}

fn parse_exports(root: TableRef<'_>, functions: usize, budget: &mut Budget) -> Result<Box<[Export]>> {
    let tables = root.tables(7, "exported_functions", budget)?;
    let export = |table: Result<TableRef<'_>>| {
        let table = table?;
        let name = table.name(0, "local_name", budget)?;
        let ordinal = table.i32(1, "internal_ordinal")?;
        match u32::try_from(ordinal) {
            Ok(function) if (function as usize) < functions => Ok(Export { name: name.into(), function }),
            _ => Err(invalid(format!("export {name} names function {ordinal} of {functions}"))),
        }
    };
    tables.map(export).collect()
}

fn parse_signature(table: TableRef<'_>, budget: &mut Budget) -> Result<Signature> {
    let text = table.text(0, "calling_convention", budget)?.unwrap_or("");
    budget.charge(text.len() * PARAM_BYTES)?;
    Signature::parse(text)
}

fn parse_rodata(
    root: TableRef<'_>,
    archive: &Archive,
    flat: &Bytes,
    budget: &mut Budget,
) -> Result<Box<[Bytes]>> {
    let tables = root.tables(9, "rodata_segments", budget)?;
    let segment = |table: Result<TableRef<'_>>| {
        let table = table?;
        match table.vector(2, "embedded_data", 1)? {
            Some(embedded) => Ok(flat.slice_ref(embedded.bytes())),
            None => {
                archive.external(table.u64(3, "external_data_offset")?, table.u64(4, "external_data_length")?)
            }
        }
    };
    let number =
        |(segment, index): (Result<Bytes>, usize)| segment.within(|| format!("in rodata segment {index}"));
    tables.map(segment).zip(0..).map(number).collect()
}

fn parse_functions(
    root: TableRef<'_>,
    code_bytes: usize,
    budget: &mut Budget,
) -> Result<Box<[FunctionModel]>> {
    let descriptors = root.vector(12, "function_descriptors", DESCRIPTOR_BYTES)?;
    let descriptors = descriptors.map_or(&[][..], |vector| vector.bytes()).as_chunks::<DESCRIPTOR_BYTES>().0;
    let signatures = root.tables(8, "function_signatures", budget)?;
    if signatures.len() != descriptors.len() {
        let (have, want) = (signatures.len(), descriptors.len());
        return Err(invalid(format!("{have} function signatures for {want} function descriptors")));
    }
    let mut end = 0;
    let function =
        |((table, descriptor), ordinal): ((Result<TableRef<'_>>, &[u8; DESCRIPTOR_BYTES]), u32)| {
            let table = table?;
            let signature = parse_signature(table, budget)?;
            let attrs = parse_attrs(table, 1, budget)?;
            let function = parse_descriptor(descriptor, end..code_bytes, signature, attrs);
            let function = function.within(|| format!("in the descriptor of function {ordinal}"))?;
            end = function.code.end;
            Ok(function)
        };
    signatures.zip(descriptors).zip(0..).map(function).collect()
}

/// `free` is what of the code no earlier function has.
fn parse_descriptor(
    bytes: &[u8; DESCRIPTOR_BYTES],
    free: std::ops::Range<usize>,
    signature: Signature,
    attrs: Attrs,
) -> Result<FunctionModel> {
    let i32_at = |at: usize| i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let start = unsigned(i32_at(0), "bytecode_offset")? as usize;
    let length = unsigned(i32_at(4), "bytecode_length")? as usize;
    let (reserved, blocks, values, refs) = (u16_at(12), u16_at(14), u16_at(16), u16_at(18));
    if length == 0 || start < free.start || start + length > free.end || !start.is_multiple_of(8) {
        let (from, to) = (free.start, free.end);
        return Err(invalid(format!(
            "code at {start}, {length} bytes, is empty, unaligned, or not inside {from}..{to}"
        )));
    }
    if blocks == 0 || blocks > i16::MAX as u16 || reserved != 0 {
        return Err(invalid(format!("{blocks} blocks and {reserved} in the reserved field can't be")));
    }
    let (values, refs) = register_counts(&signature, values.into(), refs.into())?;
    let requirements = i32_at(8) as u32;
    if requirements & !FEATURES != 0 {
        return Err(invalid(format!("requirements {requirements:#x} ask for features that don't exist")));
    }
    Ok(FunctionModel { code: start..start + length, requirements, blocks, values, refs, signature, attrs })
}

/// The descriptor's counts, raised to what the arguments take: the stock assembler counts only registers that the
/// body mentions, so that a function which ignores its arguments has too few.
fn register_counts(signature: &Signature, mut values: u32, mut refs: u32) -> Result<(u16, u16)> {
    for (scalar, at) in signature.entry_regs() {
        let count = if scalar == Scalar::Ref { &mut refs } else { &mut values };
        *count = (at + 1 + u32::from(scalar.is_wide())).max(*count);
    }
    if values > VALUES_MAX || refs > REFS_MAX {
        return Err(invalid(format!("{values} value and {refs} ref registers are more than can be named")));
    }
    Ok((values as u16, refs as u16))
}

fn unsigned(value: i32, field: &str) -> Result<u32> {
    u32::try_from(value).map_err(|_| invalid(format!("{field} is {value}, below zero")))
}

fn invalid(message: String) -> Error {
    Error::new(Code::InvalidArgument, message)
}
