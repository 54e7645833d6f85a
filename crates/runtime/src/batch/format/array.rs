//! Rows of an array: an `.npy` file, or one within an archive.
//!
//! Not here: the header (`npy.rs`), what an element becomes (`element.rs`).
//!
//! A row is a number, or as many as the second axis is long, or a tensor of all axes but the first.

use super::columns::{Column, Row, Rows};
use super::element::{Tensor, fits, name, number};
use super::interface::{Interface, Kind};
use super::npy::Header;
use crate::files::failed;
use crate::tuning::ITEM_BYTES_MAX;
use raddle_hal::{Allocator, BufferView};
use raddle_status::{Code, Error, Result, ResultExt};
use raddle_vm::Scalar;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

struct Array {
    reader: Box<dyn Read>,
    path: PathBuf,
    header: Header,
    row: Vec<u8>,
    /// What a row becomes, if not numbers.
    tensor: Option<(Tensor, Allocator)>,
}

impl Column {
    /// The numbers in an `.npy` file.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: it is none, or has no leading axis, more than two axes, or elements that are not known here. Failures of
    /// reading.
    pub fn open(path: impl AsRef<Path>) -> Result<Column> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| failed("read", path, &error))?;
        Column::read(BufReader::with_capacity(1 << 16, file), path)
    }

    /// The same from any reader; `path` is for messages.
    ///
    /// # Errors
    /// As for [`open`](Column::open).
    pub fn read(mut reader: impl Read + 'static, path: impl Into<PathBuf>) -> Result<Column> {
        let path = path.into();
        let place = || format!("in {}", path.display());
        let header = Header::read(&mut reader).within(place)?;
        let refused = |text: String| Err(Error::new(Code::InvalidArgument, text).within(place()));
        if header.shape.is_empty() {
            return refused("a single number has no leading axis to split".to_owned());
        }
        if header.is_fortran && header.shape.len() > 1 {
            return refused(
                "a Fortran-ordered array can't be split along its leading axis as it is read".to_owned(),
            );
        }
        let bytes =
            header.shape[1..].iter().try_fold(header.dtype.bytes() as u64, |all, one| all.checked_mul(*one));
        let Some(bytes) = bytes.filter(|bytes| *bytes <= ITEM_BYTES_MAX) else {
            return refused(format!("a row of {bytes:?} bytes; at most {ITEM_BYTES_MAX}"));
        };
        let row = vec![0; bytes as usize];
        Ok(Column::of(Array { reader: Box::new(reader), row, path, header, tensor: None }))
    }
}

impl Rows for Array {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn length(&self) -> u64 {
        self.header.shape[0]
    }

    fn width(&self, first: Option<&Kind>) -> usize {
        match first {
            Some(Kind::Plain(kind)) if *kind != Scalar::Ref => {
                self.header.shape.get(1).map_or(1, |width| usize::try_from(*width).unwrap_or(usize::MAX))
            }
            _ => 1,
        }
    }

    fn row_bytes(&self) -> usize {
        self.row.len()
    }

    fn check(&mut self, kinds: &[Kind], interface: &Interface) -> Result {
        let invalid = |text: String| Err(Error::new(Code::InvalidArgument, text));
        let (path, dtype, row) = (self.path.display(), self.header.dtype, &self.header.shape[1..]);
        match kinds {
            [Kind::Plain(Scalar::Ref)] => {
                self.tensor = Some((Tensor::of(dtype, row, None)?, interface.allocator()?.clone()));
            }
            [Kind::Tensor(kind)] => {
                let tensor = Tensor::of(dtype, row, Some(kind)).within(|| format!("in {path}"))?;
                self.tensor = Some((tensor, interface.allocator()?.clone()));
            }
            _ if row.len() > 1 => {
                return invalid(format!(
                    "{path} has {} axes, the function takes numbers there",
                    row.len() + 1
                ));
            }
            _ => {}
        }
        let misfit = kinds.iter().find_map(|kind| match kind {
            Kind::Plain(kind) if *kind != Scalar::Ref && !fits(dtype, *kind) => Some(*kind),
            _ => None,
        });
        match misfit {
            Some(kind) => invalid(format!(
                "{path} has elements of type {dtype}, the function takes '{}' there",
                name(kind)
            )),
            None => Ok(()),
        }
    }

    fn put(&mut self, kinds: &[Kind], into: &mut Row) -> Result {
        let Array { reader, path, header, row, tensor } = self;
        reader.read_exact(row).map_err(|error| failed("read", path, &error))?;
        if header.is_swapped {
            row.chunks_exact_mut(header.dtype.bytes()).for_each(<[u8]>::reverse);
        }
        if let Some((Tensor { element, shape }, allocator)) = tensor {
            let view = BufferView::from_bytes(allocator, *element, shape, row)?;
            into.arguments.push(view.into_value());
            return Ok(());
        }
        for (bytes, kind) in row.chunks_exact(header.dtype.bytes()).zip(kinds) {
            if let Kind::Plain(kind) = kind {
                into.arguments.push(number(bytes, header.dtype, *kind));
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result {
        self.reader.read(&mut [0]).map(drop).map_err(|error| failed("read", &self.path, &error))
    }
}
