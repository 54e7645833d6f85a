//! The table against itself: opcodes, decode against encode, and the page in docs.

use super::*;

#[test]
fn rows_are_in_the_order_of_their_opcodes() {
    assert_eq!(Op::COUNT, 263);
    for page in [Page::Core, Page::F32, Page::F64] {
        for (opcode, info) in table::TABLE[page.base()..page.end()].iter().enumerate() {
            assert_eq!((info.page, usize::from(info.opcode)), (page, opcode), "{}", info.mnemonic);
            assert_eq!(Op::decode(page, info.opcode), Some(info.op));
            if info.op != Op::Block {
                assert_eq!(Op::by_mnemonic(info.mnemonic), Some(info.op));
            }
        }
    }
    // What is in no row is no instruction, prefixes included.
    let listed = |page| (0..=u8::MAX).filter(|opcode| Op::decode(page, *opcode).is_some()).count();
    let rows = [Page::Core, Page::F32, Page::F64].map(|page| page.end() - page.base());
    assert_eq!([Page::Core, Page::F32, Page::F64].map(listed), rows);
    assert_eq!(rows.iter().sum::<usize>(), Op::COUNT);
    for (index, (kind, _)) in Kind::ALL.iter().enumerate() {
        assert_eq!(*kind as usize, index);
    }
}

fn sample(kind: Kind, seed: u16) -> Arg {
    use Kind::*;
    let reg = Reg::value(seed * 2);
    match kind {
        Ref | OutRef => Arg::Reg(Reg::reference(seed)),
        RefMove | OutRefTake => Arg::Reg(Reg::reference(seed).moved()),
        ImmI32 | ImmF32 => Arg::Imm32(0x0102_0304),
        ImmI64 | ImmF64 => Arg::Imm64(0x0102_0304_0506_0708),
        Global4 | Global8 | GlobalRef | Rodata | Type => Arg::Index(7 + u32::from(seed)),
        Callee => Arg::Callee(super::Callee::Internal(3)),
        Import => Arg::Callee(super::Callee::Import(4)),
        Block => Arg::Block(0),
        Remap => Arg::Remap(vec![(reg, Reg::value(9)), (Reg::reference(1).moved(), Reg::reference(2))]),
        Cases => Arg::Cases(vec![(0, vec![(reg, Reg::value(9))]), (0, vec![])]),
        Text => Arg::Text(b"odd".to_vec()),
        _ if kind.is_list() => Arg::List(vec![reg, Reg::value(4), Reg::value(6)]),
        _ => Arg::Reg(reg),
    }
}

fn same(arg: &Arg, operand: Operand<'_>) -> bool {
    match (arg, operand) {
        (Arg::Reg(a), Operand::Reg(b)) => *a == b,
        (Arg::Imm32(a), Operand::Imm32(b)) | (Arg::Index(a), Operand::Index(b)) => *a == b,
        (Arg::Imm64(a), Operand::Imm64(b)) => *a == b,
        (Arg::Callee(a), Operand::Callee(b)) => *a == b,
        (Arg::Block(_), Operand::Block(b)) => b == 0,
        (Arg::List(a), Operand::List(b)) => b.regs().eq(a.iter().copied()),
        (Arg::Remap(a), Operand::Remap(b)) => b.iter().eq(a.iter().copied()),
        (Arg::Text(a), Operand::Text(b)) => a == b,
        (Arg::Cases(a), Operand::Cases(b)) => {
            b.iter().map(|case| (case.block, case.remap.iter().collect::<Vec<_>>())).eq(a.iter().cloned())
        }
        _ => false,
    }
}

/// Every instruction at an even and an odd address, whole and cut short at each byte.
#[test]
fn what_is_encoded_decodes_to_the_same() {
    for op in Op::ALL.iter().copied().filter(|op| *op != Op::Block) {
        for markers in 1..=2 {
            let mut encoder = Encoder::new();
            let label = encoder.label();
            encoder.bind(Some(label)).unwrap();
            (1..markers).for_each(|_| encoder.bind(None).unwrap());
            let args: Vec<_> = op.kinds().iter().zip(1..).map(|(kind, seed)| sample(*kind, seed)).collect();
            encoder.inst(op, &args).unwrap();
            let code = encoder.finish().unwrap();
            assert_eq!(code.requirements, op.info().page.requirement());
            let inst = Decoder::at(&code.bytes, markers).next().unwrap().unwrap();
            assert_eq!((inst.op, inst.next as usize), (op, code.bytes.len()));
            assert_eq!(inst.operands().len(), args.len());
            for ((_, operand), arg) in inst.operands().zip(&args) {
                assert!(same(arg, operand), "{}: {arg:?} became {operand:?}", op.mnemonic());
            }
            assert!(inst.pads().all(|pad| code.bytes[pad as usize] == 0));
            for end in markers as usize + 1..code.bytes.len() {
                assert!(Decoder::at(&code.bytes[..end], markers).next().unwrap().is_err());
            }
        }
    }
}

#[test]
fn the_reference_page_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/isa.md");
    let page = reference_page();
    if std::env::var_os("RADDLE_BLESS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == page, "docs/isa.md is stale: run with RADDLE_BLESS=1");
}
