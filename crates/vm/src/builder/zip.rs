//! The ZIP half of a polyglot archive: local headers in front of the tables and each external segment, and the
//! directory behind them, so that ordinary tools can list and extract the parts.
//!
//! Not here: the module half ([`Archive`](crate::Archive) reads it and never looks at the directory).
//!
//! # Sources
//! PKWARE's APPNOTE, sections 4.3 and 4.5 (ZIP64).

/// Payloads start at multiples of this.
const ALIGNMENT: usize = 64;
const LOCAL_BYTES: usize = 30;
/// Header of the extra record that pads, and the ZIP64 record of a local header.
const PAD_HEADER_BYTES: usize = 4;
const ZIP64_LOCAL_BYTES: usize = 20;
const PAD_RECORD: u16 = 0xFECA;
const ZIP64_RECORD: u16 = 0x0001;
const VERSION: u16 = 45;
const DATE: u16 = 0x21;

/// An archive in the making.
#[derive(Default)]
pub(super) struct ZipWriter {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    crc: u32,
    size: u64,
    local: u64,
}

/// Where the payload of an entry starts that is written at `at`.
pub(super) fn payload_start(at: usize, name: &str) -> usize {
    (at + LOCAL_BYTES + name.len() + PAD_HEADER_BYTES + ZIP64_LOCAL_BYTES).next_multiple_of(ALIGNMENT)
}

impl ZipWriter {
    /// Appends a stored entry; returns where its payload starts.
    pub(super) fn entry(&mut self, name: &str, payload: &[u8]) -> usize {
        let local = self.bytes.len();
        let start = payload_start(local, name);
        let entry = Entry {
            name: name.to_owned(),
            crc: crc32(payload),
            size: payload.len() as u64,
            local: local as u64,
        };
        let pad = start - local - LOCAL_BYTES - name.len() - PAD_HEADER_BYTES - ZIP64_LOCAL_BYTES;
        self.bytes.extend(b"PK\x03\x04");
        self.common(&entry, (PAD_HEADER_BYTES + pad + ZIP64_LOCAL_BYTES) as u16);
        self.bytes.extend_from_slice(name.as_bytes());
        self.u16s(&[PAD_RECORD, pad as u16]);
        self.bytes.resize(self.bytes.len() + pad, 0);
        self.u16s(&[ZIP64_RECORD, 16]);
        self.u64s(&[entry.size, entry.size]);
        self.bytes.extend_from_slice(payload);
        self.entries.push(entry);
        start
    }

    /// Appends the directory and returns the archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let directory = self.bytes.len() as u64;
        let entries = std::mem::take(&mut self.entries);
        for entry in &entries {
            self.bytes.extend(b"PK\x01\x02");
            self.u16s(&[VERSION]);
            self.common(entry, 28);
            self.u16s(&[0, 0, 0, 0, 0]);
            self.bytes.extend(u32::MAX.to_le_bytes());
            self.bytes.extend_from_slice(entry.name.as_bytes());
            self.u16s(&[ZIP64_RECORD, 24]);
            self.u64s(&[entry.size, entry.size, entry.local]);
        }
        let end = self.bytes.len() as u64;
        let count = entries.len() as u64;
        self.bytes.extend(b"PK\x06\x06");
        self.u64s(&[44]);
        self.u16s(&[VERSION, VERSION, 0, 0, 0, 0]);
        self.u64s(&[count, count, end - directory, directory]);
        self.bytes.extend(b"PK\x06\x07\0\0\0\0");
        self.u64s(&[end]);
        self.bytes.extend([1, 0, 0, 0]);
        self.bytes.extend(b"PK\x05\x06");
        self.u16s(&[0, 0, count as u16, count as u16]);
        self.bytes.extend([0xFF; 8]);
        self.u16s(&[0]);
        self.bytes
    }

    /// The fields that local header and directory share, from "version needed" to "extra length".
    fn common(&mut self, entry: &Entry, extra: u16) {
        self.u16s(&[VERSION, 0, 0, 0, DATE]);
        self.bytes.extend(entry.crc.to_le_bytes());
        self.bytes.extend([0xFF; 8]);
        self.u16s(&[entry.name.len() as u16, extra]);
    }

    fn u16s(&mut self, values: &[u16]) {
        self.bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    fn u64s(&mut self, values: &[u64]) {
        self.bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xEDB8_8320;
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(super::crc32(b"123456789"), 0xCBF4_3926);
    }
}
