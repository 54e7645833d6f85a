//! The table's `form` column, cut into pieces that both directions walk through.

use crate::isa::Op;

/// A piece of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Text that stands for itself; blanks in it are optional when read.
    Literal(&'a str),
    /// The operand at this position.
    Operand(usize),
}

/// The forms of an instruction; the first is the one that is written.
pub(super) fn forms(op: Op) -> Vec<Vec<Piece<'static>>> {
    let form = op.info().form;
    if !form.is_empty() {
        return form.split(" || ").map(pieces).collect();
    }
    let mut plain = Vec::new();
    for (position, _) in op.kinds().iter().enumerate().filter(|(_, kind)| !kind.is_result()) {
        if !plain.is_empty() {
            plain.push(Piece::Literal(", "));
        }
        plain.push(Piece::Operand(position));
    }
    vec![plain]
}

/// The positions of the results that stand left of the `=`.
pub(super) fn results_left(op: Op) -> impl Iterator<Item = usize> {
    let form = op.info().form;
    let named = move |position: &usize| form.contains(&format!("${position}"));
    (0..op.kinds().len()).filter(move |position| op.kinds()[*position].is_result() && !named(position))
}

fn pieces(form: &'static str) -> Vec<Piece<'static>> {
    let mut pieces = Vec::new();
    let mut rest = form;
    while let Some(at) = rest.find('$') {
        if at > 0 {
            pieces.push(Piece::Literal(&rest[..at]));
        }
        pieces.push(Piece::Operand(usize::from(rest.as_bytes()[at + 1] - b'0')));
        rest = &rest[at + 2..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operand_has_exactly_one_place() {
        for op in Op::ALL.iter().copied() {
            for form in forms(op) {
                let mut places: Vec<_> = results_left(op).collect();
                places.extend(form.iter().filter_map(|piece| match piece {
                    Piece::Operand(position) => Some(*position),
                    Piece::Literal(_) => None,
                }));
                places.sort_unstable();
                assert!(places.into_iter().eq(0..op.kinds().len()), "{}: {form:?}", op.mnemonic());
            }
        }
    }
}
