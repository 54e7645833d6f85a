//! Files that are damaged, hostile or for another loader are a status each, and never executed.

mod exercise;
mod support;

use exercise::exercise;
use raddle_status::Code;
use support::kernel;

/// A file with places that are found by what they mean.
struct Edit {
    bytes: Vec<u8>,
}

const LOAD: u32 = 1;
const RELRO: u32 = 0x6474_E552;
const STACK: u32 = 0x6474_E551;

impl Edit {
    fn new() -> Edit {
        Edit { bytes: kernel("matmul.so") }
    }

    fn word(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes[at..at + 8].try_into().unwrap())
    }

    fn put(mut self, at: usize, bytes: &[u8]) -> Edit {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn put_word(self, at: usize, word: u64) -> Edit {
        self.put(at, &word.to_le_bytes())
    }

    /// Where the `nth` program header of this kind is.
    fn header(&self, kind: u32, nth: usize) -> usize {
        let all = (0..7).map(|index| 64 + 56 * index);
        all.filter(|&at| self.bytes[at..at + 4] == kind.to_le_bytes()).nth(nth).unwrap()
    }

    /// Where the entry of this tag is in the dynamic section.
    fn tag(&self, tag: u64) -> usize {
        let start = self.word(self.header(2, 0) + 8) as usize;
        (0..16).map(|index| start + 16 * index).find(|&at| self.word(at) == tag).unwrap()
    }

    /// Where the first relocation is. Addresses are offsets in the first segment.
    fn relocation(&self) -> usize {
        self.word(self.tag(7) + 8) as usize
    }

    fn symbol(&self) -> usize {
        self.word(self.tag(6) + 8) as usize + 24
    }
}

fn check(what: &str, edit: Edit, code: Code, text: &str) {
    match exercise(&edit.bytes) {
        Ok(()) => panic!("{what}: accepted"),
        Err(error) => {
            assert_eq!(error.code(), code, "{what}: {error}");
            assert!(error.message().contains(text), "{what}: {error}");
        }
    }
}

#[test]
fn the_committed_files_are_taken() {
    for name in ["matmul", "matmul_avx2", "matmul_avx512", "denormal", "import", "math", "constants", "grid"]
    {
        exercise(&kernel(&format!("{name}.so"))).unwrap();
    }
}

#[test]
fn headers_are_compared() {
    let header = |at: usize, bytes: &[u8]| Edit::new().put(at, bytes);
    use Code::{Incompatible, InvalidArgument};
    check("magic", header(0, b"\x7FELG"), InvalidArgument, "magic");
    check("32 bits", header(4, &[1]), InvalidArgument, "[1, 1, 1]");
    check("big endian", header(5, &[2]), InvalidArgument, "[2, 2, 1]");
    check("program", header(16, &[2]), InvalidArgument, "shared object");
    check("machine", header(18, &[8]), Incompatible, "machine 0x8");
    check("header size", header(52, &[63]), InvalidArgument, "size of the ELF header");
    check("program header size", header(54, &[57]), InvalidArgument, "program headers take 57");
    check("program headers outside", header(32, &[0xFF; 8]), InvalidArgument, "cut short");
    check("too many program headers", header(56, &[65, 0]), InvalidArgument, "at most 64");
    check("no program headers", header(56, &[0, 0]), InvalidArgument, "no segment");
    check("section headers outside", header(40, &[0xFF; 8]), InvalidArgument, "cut short");
    check("section header size", header(58, &[63]), InvalidArgument, "section headers take 63");
}

#[test]
fn segments_are_compared() {
    let file = Edit::new();
    let [text, data] = [file.header(LOAD, 1), file.header(LOAD, 2)];
    let (data_address, stack, relro) = (file.word(data + 16), file.header(STACK, 0), file.header(RELRO, 0));
    let edit = |at, word| Edit::new().put_word(at, word);
    use Code::{InvalidArgument, PermissionDenied, ResourceExhausted, Unimplemented};
    check("writable code", Edit::new().put(text + 4, &[7]), PermissionDenied, "writable and executable");
    check("write and execute", Edit::new().put(text + 4, &[3]), PermissionDenied, "writable and executable");
    check("executable stack", Edit::new().put(stack + 4, &[7]), PermissionDenied, "executable stack");
    check("file range", edit(text + 8, 1 << 40), InvalidArgument, "cut short");
    check("file range overflows", edit(text + 8, u64::MAX), InvalidArgument, "cut short");
    check("file bytes", edit(text + 32, 0x400), InvalidArgument, "for 0x321 of memory");
    check("address overflows", edit(data + 16, u64::MAX - 16), InvalidArgument, "overflows");
    check("address at the end", edit(data + 16, u64::MAX - 0x900), InvalidArgument, "past the last page");
    check("memory overflows", edit(data + 40, u64::MAX), InvalidArgument, "overflows");
    check("shared page", edit(text + 16, data_address), InvalidArgument, "share a page");
    check("out of order", edit(text + 16, 0x9430), InvalidArgument, "out of order");
    check("too large", edit(data + 16, 1 << 41), ResourceExhausted, "at most");
    check("RELRO outside", edit(relro + 16, 0x1430), InvalidArgument, "RELRO");
    check("RELRO too long", edit(relro + 40, 0x2000), InvalidArgument, "RELRO");
    check("interpreter", Edit::new().put(stack, &[3, 0, 0, 0]), Unimplemented, "interpreter");
    check("thread-local storage", Edit::new().put(stack, &[7, 0, 0, 0]), Unimplemented, "thread-local");
    check("two RELROs", Edit::new().put(stack, &RELRO.to_le_bytes()), InvalidArgument, "two RELRO");
    let dynamic = file.header(2, 0);
    check("dynamic section outside", edit(dynamic + 16, 0x9000), InvalidArgument, "lies in no segment");
    check(
        "dynamic section in zeroes",
        edit(dynamic + 16, data_address + 0x1A0),
        InvalidArgument,
        "no segment",
    );
    check(
        "no dynamic section",
        Edit::new().put(dynamic, &[4, 0, 0, 0]),
        InvalidArgument,
        "no dynamic section",
    );
    check("dynamic section without end", edit(dynamic + 40, 0xB0), InvalidArgument, "no end");
}

#[test]
fn the_dynamic_section_is_compared() {
    let file = Edit::new();
    // The entry that nothing needs becomes one that matters.
    let spare = file.tag(0x6FFF_FFFB);
    let with = |tag: u64, value: u64| Edit::new().put_word(spare, tag).put_word(spare + 8, value);
    let value = |tag: u64, value: u64| {
        let edit = Edit::new();
        let at = edit.tag(tag) + 8;
        edit.put_word(at, value)
    };
    let without = |tag: u64| {
        let edit = Edit::new();
        let at = edit.tag(tag);
        edit.put_word(at, 0x6FFF_FFFB)
    };
    use Code::{FailedPrecondition, InvalidArgument, PermissionDenied, Unimplemented};
    check("needs a library", with(1, 1), Unimplemented, "system ELF");
    check("relocations without addends", with(17, 0x238), FailedPrecondition, "DT_REL");
    check("jump slots without addends", with(20, 17), FailedPrecondition, "DT_REL");
    check("packed relocations", with(36, 0x238), Unimplemented, "DT_RELR");
    check("relocated code", with(22, 0), PermissionDenied, "DT_TEXTREL");
    check("relocated code by flag", with(30, 4), PermissionDenied, "DT_TEXTREL");
    check("code at unload", with(13, 0x1430), Unimplemented, "unloaded");
    check("code at unload, array", with(28, 8), Unimplemented, "unloaded");
    check("code before", with(32, 0x2768), Unimplemented, "before it is initialised");
    check("initialiser in data", with(12, 0x360), InvalidArgument, "no code");
    check("initialiser outside", with(12, 1 << 40), InvalidArgument, "no code");
    check("initialisers without size", with(25, 0x2768), InvalidArgument, "not both");
    check("relocations outside", value(7, 0x9000), InvalidArgument, "lie in no segment");
    check("relocations past the end", value(8, 0x1_0008), InvalidArgument, "lie in no segment");
    check("relocations overflow", value(8, u64::MAX - 7), InvalidArgument, "lie in no segment");
    check("half a relocation", value(8, 280), InvalidArgument, "no multiple of 24");
    check("relocation size", value(9, 16), InvalidArgument, "16 bytes each");
    check("symbol size", value(11, 16), InvalidArgument, "16 bytes each");
    check("symbols outside", value(6, 1 << 63), InvalidArgument, "symbols at");
    check("strings outside", value(5, u64::MAX), InvalidArgument, "strings at");
    check("strings too long", value(10, 1 << 32), InvalidArgument, "strings at");
    check("hash outside", value(4, 0x42C), InvalidArgument, "hash table");
    check("no hash", without(4), InvalidArgument, "DT_HASH");
    check("no symbols", without(6), InvalidArgument, "symbol table");
    check("no strings", without(5), InvalidArgument, "string table");
    check("no size of strings", without(10), InvalidArgument, "size of the strings");
    check("relocations without size", without(8), InvalidArgument, "not both");
}

#[test]
fn symbols_are_compared() {
    let file = Edit::new();
    let (symbol, hash) = (file.symbol(), file.word(file.tag(4) + 8) as usize);
    let strings = file.word(file.tag(5) + 8) as usize;
    use Code::{InvalidArgument, NotFound};
    check("symbol count", Edit::new().put(hash + 4, &[0xFF; 4]), InvalidArgument, "symbols at");
    check("no symbols", Edit::new().put(hash + 4, &[1, 0, 0, 0]), NotFound, "defines no");
    check("another name", Edit::new().put(strings + 1, b"x"), NotFound, "no executable of IREE");
    check("name outside", Edit::new().put(symbol, &[0xFF; 4]), InvalidArgument, "name of symbol 1");
    check("name without end", Edit::new().put(strings + 34, b"x"), InvalidArgument, "name of symbol 1");
    check("name is no text", Edit::new().put(strings + 3, &[0xFF]), InvalidArgument, "name of symbol 1");
    check("undefined", Edit::new().put(symbol + 6, &[0, 0]), NotFound, "defines no");
    check("address in data", Edit::new().put_word(symbol + 8, 0x360), InvalidArgument, "no code");
    check("address outside", Edit::new().put_word(symbol + 8, u64::MAX), InvalidArgument, "no code");
}

#[test]
fn relocations_are_compared() {
    let at = Edit::new().relocation();
    let symbol = Edit::new().symbol();
    let kind = |kind: u32, symbol: u32| {
        Edit::new().put(at + 8, &kind.to_le_bytes()).put(at + 12, &symbol.to_le_bytes())
    };
    use Code::{InvalidArgument, PermissionDenied, Unavailable, Unimplemented};
    // PC32, COPY, 32, 32S, DTPMOD64, IRELATIVE, and one that nobody knows.
    for number in [2, 5, 10, 11, 16, 37, 200] {
        check("kind", kind(number, 0), Unimplemented, &format!("kind {number} is not known"));
    }
    check("into code", Edit::new().put_word(at, 0x1430), PermissionDenied, "0x1430, which is code");
    check("into read-only data", Edit::new().put_word(at, 0x360), PermissionDenied, "read-only");
    check("into a gap", Edit::new().put_word(at, 0x800), InvalidArgument, "outside the image");
    check("outside", Edit::new().put_word(at, 1 << 50), InvalidArgument, "outside the image");
    check("overflowing", Edit::new().put_word(at, u64::MAX - 3), InvalidArgument, "outside the image");
    check("half outside", Edit::new().put_word(at, 0x2FFC), InvalidArgument, "outside the image");
    check("to the outside", Edit::new().put_word(at + 16, 0x3001), InvalidArgument, "leads to 0x3001");
    check("to before", Edit::new().put_word(at + 16, u64::MAX), InvalidArgument, "outside the image");
    check("no such symbol", kind(1, 2), InvalidArgument, "symbol 2 of 2");
    check(
        "undefined symbol",
        kind(6, 1).put(symbol + 6, &[0, 0]),
        Unavailable,
        "iree_hal_executable_library_query",
    );
    exercise(&kind(7, 1).put_word(at + 16, 0).bytes).unwrap();
    exercise(&kind(0, 0).bytes).unwrap();
}

#[test]
fn no_length_of_a_file_is_trusted() {
    let whole = kernel("matmul.so");
    for length in 0..whole.len() {
        exercise(&whole[..length]).unwrap_err();
    }
}

#[test]
fn no_byte_of_a_file_is_trusted() {
    // Every byte that is not code, three ways: panics, hangs and writes outside are what this finds.
    for name in ["matmul.so", "import.so"] {
        let whole = kernel(name);
        let mut accepted = 0;
        for at in (0..0x430).chain(0x760..whole.len()) {
            for change in [0xFF, 0x80, 0x01] {
                let mut bytes = whole.clone();
                bytes[at] ^= change;
                accepted += usize::from(exercise(&bytes).is_ok());
            }
        }
        assert!(accepted > 100, "names of debug sections, for one, change nothing: {accepted}");
    }
}

#[test]
fn many_changes_at_once_are_survived() {
    // A xorshift generator: the same files on every run.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let whole = kernel("matmul.so");
    for _ in 0..5000 {
        let mut bytes = whole.clone();
        for _ in 0..1 + random() % 6 {
            // Headers, dynamic tables and the dynamic section.
            let at = if random() % 2 == 0 { random() % 0x360 } else { 0x840 + random() % 0xC0 } as usize;
            let value = [0, 1, 0xFF, 0x7F, random() as u8][random() as usize % 5];
            bytes[at] = value;
        }
        let _ = exercise(&bytes);
    }
}

/// What the fuzz target `elf` kept.
#[test]
fn the_corpus_is_survived() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fuzz/corpus/elf");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let results: Vec<bool> = files.map(|bytes| exercise(&bytes).is_ok()).collect();
    assert!(results.len() > 50 && results.contains(&true) && results.contains(&false), "{}", results.len());
}
