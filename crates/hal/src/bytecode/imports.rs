//! The native module `vmvx` that kernels of bytecode import, all of its functions.

use super::elementwise::{BINARY, Binary, UNARY, Unary, binary, fill, unary};
use super::tiles::{Preferred, Product, Tiling};
use raddle_executable::Features;
use raddle_status::Result;
use raddle_vm::{Buffer as Bytes, NativeBuilder, NativeModule};

type Builder = NativeBuilder<Preferred>;

/// The module, as it is on a processor with these features.
///
/// # Errors
/// None that a user could cause.
pub(super) fn module(features: Features) -> Result<NativeModule> {
    let preferred = Preferred::new(features);
    let builder = NativeModule::with_state("vmvx", move || Ok(preferred));
    let builder = BINARY.into_iter().fold(builder, add_binary);
    let builder = UNARY.into_iter().fold(builder, |builder, (name, op)| add_unary::<4>(builder, name, op));
    let builder = add_unary::<1>(builder, "copy.2d.x8", |bits| bits);
    let builder = add_unary::<2>(builder, "copy.2d.x16", |bits| bits);
    let builder = add_unary::<4>(builder, "copy.2d.x32", |bits| bits);
    let builder = add_unary::<8>(builder, "copy.2d.x64", |bits| bits);
    builder
        .function("fill.2d.x32", filled)
        .function("mmt4d", multiply)
        .function("pack", pack)
        .function("unpack", unpack)
        .function("query_tile_sizes.2d", |preferred: &Preferred, _: i64, _: i64, flags: u32| {
            preferred.tile_sizes(flags)
        })
        .build()
}

fn filled(
    _: &Preferred,
    value: u32,
    out: &Bytes,
    first: i64,
    stride: i64,
    rows: i64,
    columns: i64,
) -> Result<()> {
    fill((out, first, [stride, 1]), [rows, columns], value)
}

fn add_binary(builder: Builder, (name, op): (&'static str, Binary)) -> Builder {
    builder.function(
        name,
        move |_: &Preferred,
              left: &Bytes,
              left_first: i64,
              left_row: i64,
              left_column: i64,
              right: &Bytes,
              right_first: i64,
              right_row: i64,
              right_column: i64,
              out: &Bytes,
              out_first: i64,
              out_row: i64,
              out_column: i64,
              rows: i64,
              columns: i64| {
            binary(
                (left, left_first, [left_row, left_column]),
                (right, right_first, [right_row, right_column]),
                (out, out_first, [out_row, out_column]),
                [rows, columns],
                op,
            )
        },
    )
}

fn add_unary<const W: usize>(builder: Builder, name: &'static str, op: Unary) -> Builder {
    builder.function(
        name,
        move |_: &Preferred,
              source: &Bytes,
              first: i64,
              row: i64,
              column: i64,
              out: &Bytes,
              out_first: i64,
              out_row: i64,
              out_column: i64,
              rows: i64,
              columns: i64| {
            let source = (source, first, [row, column]);
            unary::<W>(source, (out, out_first, [out_row, out_column]), [rows, columns], op)
        },
    )
}

#[allow(clippy::too_many_arguments)]
fn multiply(
    preferred: &Preferred,
    left: &Bytes,
    left_first: i64,
    left_row: i64,
    right: &Bytes,
    right_first: i64,
    right_row: i64,
    out: &Bytes,
    out_first: i64,
    out_row: i64,
    m: i64,
    n: i64,
    k: i64,
    tile_m: i32,
    tile_n: i32,
    tile_k: i32,
    flags: u32,
) -> Result<()> {
    let product = Product {
        left: (left, left_first, left_row),
        right: (right, right_first, right_row),
        out: (out, out_first, out_row),
        tiles: [m, n, k],
        tile: [tile_m, tile_n, tile_k],
        flags,
    };
    product.compute(*preferred)
}

#[allow(clippy::too_many_arguments)]
fn pack(
    _: &Preferred,
    source: &Bytes,
    first: i64,
    row: i64,
    column: i64,
    out: &Bytes,
    out_first: i64,
    out_row: i64,
    out_column: i64,
    rows: i64,
    columns: i64,
    a: i64,
    b: i64,
    c: i64,
    d: i64,
    padding: u64,
    flags: u32,
) -> Result<()> {
    let tiling = Tiling {
        plain: (source, first, [row, column]),
        plain_sizes: [rows, columns],
        tiled: (out, out_first, [out_row, out_column]),
        tiled_sizes: [a, b, c, d],
        flags,
    };
    tiling.pack(padding)
}

#[allow(clippy::too_many_arguments)]
fn unpack(
    _: &Preferred,
    source: &Bytes,
    first: i64,
    row: i64,
    column: i64,
    out: &Bytes,
    out_first: i64,
    out_row: i64,
    out_column: i64,
    a: i64,
    b: i64,
    c: i64,
    d: i64,
    rows: i64,
    columns: i64,
    flags: u32,
) -> Result<()> {
    let tiling = Tiling {
        plain: (out, out_first, [out_row, out_column]),
        plain_sizes: [rows, columns],
        tiled: (source, first, [row, column]),
        tiled_sizes: [a, b, c, d],
        flags,
    };
    tiling.unpack()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_has_every_function_with_its_convention() {
        let binary = "0rIIIrIIIrIIIII_v";
        let unary = "0rIIIrIIIII_v";
        let module = module(Features::host()).unwrap();
        let found: Vec<_> = module.exports().collect();
        assert_eq!(found.len(), 32);
        for (name, convention) in found {
            let expected = match name {
                "mmt4d" => "0rIIrIIrIIIIIiiii_v",
                "pack" => "0rIIIrIIIIIIIIIIi_v",
                "unpack" => "0rIIIrIIIIIIIIIi_v",
                "query_tile_sizes.2d" => "0IIi_II",
                "fill.2d.x32" => "0irIIII_v",
                _ if name.starts_with("copy.2d.") => unary,
                "abs.2d.f32" | "ceil.2d.f32" | "ctlz.2d.i32" | "exp.2d.f32" | "floor.2d.f32"
                | "log.2d.f32" | "neg.2d.f32" | "rsqrt.2d.f32" => unary,
                _ => binary,
            };
            assert_eq!(convention, expected, "{name}");
        }
    }
}
