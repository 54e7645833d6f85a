//! Parses and relocates bytes as an ELF file, executes nothing, and checks what must hold whatever the bytes are.

use raddle_executable::ElfFile;
use raddle_status::Result;

/// Larger images are parsed only, to save time. Unit: bytes.
const IMAGE_BYTES_MAX: usize = 1 << 22;
const BASE: u64 = 0x7000_0000_0000;

/// A program header, read without the product's help.
struct Header {
    kind: u32,
    flags: u32,
    offset: usize,
    address: u64,
    file_bytes: usize,
}

/// Ok if the bytes are a file that this loader would take.
pub fn exercise(bytes: &[u8]) -> Result {
    let file = ElfFile::parse(bytes)?;
    if file.image_bytes() > IMAGE_BYTES_MAX {
        return Ok(());
    }
    let mut image = vec![0; file.image_bytes()];
    let relocated = file.relocate_into(&mut image, BASE)?;
    let headers = headers(bytes);
    let loads: Vec<&Header> = headers.iter().filter(|header| header.kind == 1).collect();
    let first = loads.iter().map(|header| header.address & !4095).min().unwrap_or_default();
    for header in &loads {
        assert_ne!(header.flags & 3, 3, "writable and executable");
        if header.flags & 2 == 0 {
            let at = (header.address - first) as usize;
            let (here, there) =
                (&image[at..][..header.file_bytes], &bytes[header.offset..][..header.file_bytes]);
            assert!(here == there, "relocation changed what is not writable");
        }
    }
    for &address in &relocated.initialisers {
        let is_code = |header: &&&Header| header.flags & 1 != 0 && address >= header.address;
        assert!(loads.iter().filter(is_code).count() > 0, "an initialiser that is no code");
    }
    let query = relocated.function(&file, &image, "iree_hal_executable_library_query")?;
    assert!(query - first < image.len() as u64, "a function outside the image");
    Ok(())
}

fn headers(bytes: &[u8]) -> Vec<Header> {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let half = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (start, count) = (word(32) as usize, usize::from(u16::from_le_bytes([bytes[56], bytes[57]])));
    let read = |index| {
        let at = start + 56 * index;
        Header {
            kind: half(at),
            flags: half(at + 4),
            offset: word(at + 8) as usize,
            address: word(at + 16),
            file_bytes: word(at + 32) as usize,
        }
    };
    // An empty segment is none.
    (0..count).filter(|index| word(start + 56 * index + 40) != 0).map(read).collect()
}
