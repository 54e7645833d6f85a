//! The bits of memory types, usages, accesses and modes, as the module's interface numbers them.

/// Kinds of memory.
pub mod memory_type {
    /// Take whatever is best.
    pub const OPTIMAL: u32 = 0x01;
    /// The host can map it.
    pub const HOST_VISIBLE: u32 = 0x02;
    /// Mapped memory needs no flush.
    pub const HOST_COHERENT: u32 = 0x04;
    /// Mapped memory is cached.
    pub const HOST_CACHED: u32 = 0x08;
    /// It lies with the host.
    pub const HOST_LOCAL: u32 = 0x46;
    /// Devices can use it.
    pub const DEVICE_VISIBLE: u32 = 0x10;
    /// It lies with the device.
    pub const DEVICE_LOCAL: u32 = 0x30;
}

/// What a buffer may be used for.
pub mod usage {
    /// Read by transfers.
    pub const TRANSFER_SOURCE: u32 = 1;
    /// Written by transfers.
    pub const TRANSFER_TARGET: u32 = 1 << 1;
    /// Both.
    pub const TRANSFER: u32 = TRANSFER_SOURCE | TRANSFER_TARGET;
    /// Holds the counts of indirect dispatches.
    pub const DISPATCH_INDIRECT: u32 = 1 << 8;
    /// Read by kernels.
    pub const DISPATCH_STORAGE_READ: u32 = 1 << 10;
    /// Read and written by kernels.
    pub const DISPATCH_STORAGE: u32 = 0xC00;
    /// What every tensor has.
    pub const DEFAULT: u32 = TRANSFER | DISPATCH_STORAGE;
    /// Never written again.
    pub const SHARING_IMMUTABLE: u32 = 1 << 19;
    /// Can be mapped for a while.
    pub const MAPPING_SCOPED: u32 = 1 << 24;
    /// Can be mapped for ever.
    pub const MAPPING_PERSISTENT: u32 = 1 << 25;
    /// In any order.
    pub const MAPPING_ACCESS_RANDOM: u32 = 1 << 27;
    /// What memory of this host offers in any case.
    pub const HOST: u32 = TRANSFER | MAPPING_SCOPED | MAPPING_PERSISTENT | MAPPING_ACCESS_RANDOM;
}

/// What may be done with the contents.
pub mod access {
    /// Reading.
    pub const READ: u32 = 1;
    /// Writing.
    pub const WRITE: u32 = 2;
    /// Reading, writing, discarding.
    pub const ALL: u32 = 7;
}

/// A length that means "to the end".
pub const WHOLE_BUFFER: u64 = u64::MAX;
