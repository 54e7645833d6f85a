//! The names of executable formats.

use crate::elf::Machine;

/// A format of native executables. Formats of bytecode (`vmvx-…`) are not here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// A self-contained ELF image, loaded by this crate.
    EmbeddedElf(Machine),
    /// A shared object, loaded by the system's loader.
    SystemElf(Machine),
}

impl Format {
    /// The format of this name. A name may go on after what is compared, as in stock IREE.
    pub fn parse(name: &str) -> Option<Format> {
        let machine = |name: &str| match name {
            _ if name.starts_with("x86_64") => Some(Machine::X86_64),
            _ if name.starts_with("arm_64") => Some(Machine::Aarch64),
            _ => None,
        };
        if let Some(name) = name.strip_prefix("embedded-elf-") {
            machine(name).map(Format::EmbeddedElf)
        } else {
            name.strip_prefix("system-elf-").and_then(machine).map(Format::SystemElf)
        }
    }

    /// Whether such executables can run in this process.
    pub fn is_supported(self) -> bool {
        let (Format::EmbeddedElf(machine) | Format::SystemElf(machine)) = self;
        Some(machine) == Machine::HOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_by_their_start() {
        assert_eq!(Format::parse("embedded-elf-x86_64"), Some(Format::EmbeddedElf(Machine::X86_64)));
        assert_eq!(Format::parse("embedded-elf-x86_64-more"), Some(Format::EmbeddedElf(Machine::X86_64)));
        assert_eq!(Format::parse("embedded-elf-arm_64"), Some(Format::EmbeddedElf(Machine::Aarch64)));
        assert_eq!(Format::parse("system-elf-x86_64"), Some(Format::SystemElf(Machine::X86_64)));
        for name in ["", "embedded-elf-", "embedded-elf-x86_32", "vmvx-bytecode-fb", "elf-x86_64"] {
            assert_eq!(Format::parse(name), None, "{name}");
        }
    }

    #[test]
    fn one_machine_is_supported() {
        let is_supported = |name| Format::parse(name).unwrap().is_supported();
        assert_ne!(is_supported("embedded-elf-x86_64"), is_supported("embedded-elf-arm_64"));
    }
}
