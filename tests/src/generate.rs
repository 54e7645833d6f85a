//! Random modules that are valid, end, and never do what crashes stock tools, but for a few that are counted.
//!
//! A module holds *helpers*, which call nothing, and *programs* `p0`, `p1`, … of (i32, i64) -> (i32, i64), which are
//! independent of each other: each sets the globals that it uses. What a program computed is folded into its results.
//!
//! # Registers of a function
//! ```text
//! %i0, 1, 4..12   i32          %r0  list of anything, 4 elements     %r3     rodata
//! %i2, 12..20     i64, even    %r1  list of i32, 4 elements          %r4..8  anything
//! %i20..26        f32          %r2  buffer of 64 bytes
//! %i26..34        f64, even    %i40 and up: scratch and loop counters
//! ```
//! NaNs have no defined bits (`log` of -1 has another sign in two versions of one C library): floats are cleaned before
//! they go to where their bits can be looked at.

use crate::random::Random;
use raddle_vm::isa::{Arg, Callee, Encoder, FunctionCode, Kind, Op, Reg};
use raddle_vm::{ModuleBuilder, Value};

const I32: &[u16] = &[0, 1, 4, 5, 6, 7, 8, 9, 10, 11];
const I64: &[u16] = &[2, 12, 14, 16, 18];
const F32: &[u16] = &[20, 21, 22, 23, 24, 25];
const F64: &[u16] = &[26, 28, 30, 32];
const LIST: Reg = Reg::reference(0);
const INTS: Reg = Reg::reference(1);
const BUFFER: Reg = Reg::reference(2);
const RODATA: Reg = Reg::reference(3);
const LOOSE: &[u16] = &[4, 5, 6, 7];
const INDEX: u16 = 40;
const WIDE: &[u16] = &[42, 44, 46];
const FLOAT: u16 = 48;
const DOUBLE: u16 = 50;
const COUNTERS: u16 = 52;
const HELPERS: usize = 4;
/// Integers have the first half of the globals, floats the second.
const GLOBAL_BYTES: u32 = 64;

/// A random module.
pub struct Generated {
    /// The module, whose exports are the programs.
    pub builder: ModuleBuilder,
    /// How many programs there are.
    pub programs: usize,
    types: Types,
}

#[derive(Clone, Copy)]
struct Types {
    any: u32,
    i32: u32,
    buffer: u32,
    list: u32,
    ints: u32,
}

/// Makes a module with so many programs.
///
/// # Panics
/// If the generator makes code that can't be encoded.
pub fn module(seed: u64, programs: usize) -> Generated {
    let mut random = Random(seed);
    let mut builder = ModuleBuilder::new("random");
    let types = Types {
        any: builder.ty("!vm.opaque"),
        i32: builder.ty("i32"),
        buffer: builder.ty("!vm.buffer"),
        list: builder.ty("!vm.list<!vm.opaque>"),
        ints: builder.ty("!vm.list<i32>"),
    };
    builder.globals(GLOBAL_BYTES, 2);
    let bytes: Vec<u8> = (0..64).map(|_| random.next() as u8).collect();
    builder.rodata(bytes);
    builder.import("nowhere.function", "0i_i", true);
    for _ in 0..HELPERS {
        let code = Function::new(&mut random, types, false).whole(12);
        builder.function("0iI_iI", code);
    }
    for index in 0..programs {
        let code = Function::new(&mut random, types, true).whole(28);
        let ordinal = builder.function("0iI_iI", code);
        builder.export(format!("p{index}"), ordinal);
    }
    Generated { builder, programs, types }
}

/// The arguments of a program's calls.
pub fn arguments(seed: u64, call: u64) -> Vec<Value> {
    let mut random = Random(seed ^ (call + 1).wrapping_mul(0xD6E8_FEB8_6659_FD93));
    vec![Value::I32(number(&mut random) as i32), Value::I64(number(&mut random))]
}

fn number(random: &mut Random) -> i64 {
    match random.below(8) {
        0 => random.pick(&[0, 1, -1, 2, 7, 31, 32, 63, 64]),
        1 => random.pick(&[i32::MIN.into(), i32::MAX.into(), i64::MIN, i64::MAX, u32::MAX.into()]),
        2 => 1 << random.below(64),
        3 | 4 => random.below(200) as i64 - 100,
        _ => random.next() as i64,
    }
}

fn float(random: &mut Random) -> f64 {
    match random.below(8) {
        0 => random.pick(&[0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, 1e10, 3e9, 1e19, 1e-40, 16_777_217.0]),
        1 => random.pick(&[f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MAX, f64::MIN_POSITIVE, 1e300]),
        2..=4 => (random.next() % 4000) as f64 / 16.0 - 125.0,
        _ => (random.next() as i64 as f64) / 1e15,
    }
}

impl Generated {
    /// Adds `batch`, which makes these calls and returns their results in a list.
    ///
    /// # Panics
    /// If there are too many calls.
    pub fn add_batch(&mut self, calls: &[(usize, Vec<Value>)]) {
        let mut code = Encoder::new();
        code.bind(None).expect("an encoder without labels");
        let mut put = |op, args: &[Arg]| code.inst(op, args).expect("operands that fit");
        let value = |index| Arg::Reg(Reg::value(index));
        let count = calls.len() as u32 * 2;
        put(Op::ConstI32, &[Arg::Imm32(count), value(0)]);
        put(Op::ListAlloc, &[Arg::Index(self.types.any), value(0), LIST.into()]);
        put(Op::ListResize, &[LIST.into(), value(0)]);
        for (at, (program, arguments)) in calls.iter().enumerate() {
            put(Op::ConstI32, &[Arg::Imm32(arguments[0].bits() as u32), value(1)]);
            put(Op::ConstI64, &[Arg::Imm64(arguments[1].bits()), value(2)]);
            let callee = Arg::Callee(Callee::Internal((HELPERS + program) as u32));
            let list = |of: &[u16]| Arg::List(of.iter().map(|index| Reg::value(*index)).collect());
            put(Op::Call, &[callee, list(&[1, 2]), list(&[4, 6])]);
            put(Op::ConstI32, &[Arg::Imm32(at as u32 * 2), value(0)]);
            put(Op::ListSetI32, &[LIST.into(), value(0), value(4)]);
            put(Op::ConstI32, &[Arg::Imm32(at as u32 * 2 + 1), value(0)]);
            put(Op::ListSetI64, &[LIST.into(), value(0), value(6)]);
        }
        put(Op::Return, &[Arg::List(vec![LIST.moved()])]);
        let ordinal = self.builder.function("0v_r", code.finish().expect("code without branches"));
        self.builder.export("batch", ordinal);
    }
}

struct Function<'a> {
    random: &'a mut Random,
    types: Types,
    code: Encoder,
    calls: bool,
    loops: u16,
}

impl<'a> Function<'a> {
    fn new(random: &'a mut Random, types: Types, calls: bool) -> Function<'a> {
        Function { random, types, code: Encoder::new(), calls, loops: 0 }
    }

    fn put(&mut self, op: Op, args: &[Arg]) {
        self.code.inst(op, args).unwrap_or_else(|error| panic!("{error}"));
    }

    fn whole(mut self, statements: usize) -> FunctionCode {
        self.code.bind(None).expect("a marker");
        self.prologue();
        self.statements(statements, 0);
        self.epilogue();
        self.code.finish().expect("labels that are bound")
    }

    fn const_i32(&mut self, register: u16, value: i64) {
        self.put(Op::ConstI32, &[Arg::Imm32(value as u32), v(register)]);
    }

    fn const_i64(&mut self, register: u16, value: i64) {
        self.put(Op::ConstI64, &[Arg::Imm64(value as u64), v(register)]);
    }

    fn prologue(&mut self) {
        for register in &I32[1..] {
            let value = number(self.random);
            self.const_i32(*register, value);
        }
        for register in &I64[1..] {
            let value = number(self.random);
            self.const_i64(*register, value);
        }
        for register in F32 {
            let bits = (float(self.random) as f32).to_bits();
            self.put(Op::ConstF32, &[Arg::Imm32(bits), v(*register)]);
        }
        for register in F64 {
            let bits = float(self.random).to_bits();
            self.put(Op::ConstF64, &[Arg::Imm64(bits), v(*register)]);
        }
        self.const_i32(INDEX, 4);
        self.const_i64(WIDE[0], 64);
        let types = self.types;
        self.put(Op::ListAlloc, &[Arg::Index(types.any), v(INDEX), LIST.into()]);
        self.put(Op::ListResize, &[LIST.into(), v(INDEX)]);
        self.put(Op::ListAlloc, &[Arg::Index(types.i32), v(INDEX), INTS.into()]);
        self.put(Op::ListResize, &[INTS.into(), v(INDEX)]);
        for (index, op, register) in [(0, Op::ListSetI32, 4), (1, Op::ListSetI64, 2), (2, Op::ListSetF32, 20)]
        {
            self.const_i32(INDEX, index);
            self.put(op, &[LIST.into(), v(INDEX), v(register)]);
        }
        self.const_i32(INDEX, 16);
        self.put(Op::BufferAlloc, &[v(WIDE[0]), v(INDEX), BUFFER.into()]);
        self.put(Op::ConstRefRodata, &[Arg::Index(0), RODATA.into()]);
        if self.calls {
            self.put(Op::ConstI64Zero, &[v(WIDE[0])]);
            for offset in (0..GLOBAL_BYTES).step_by(8) {
                self.put(Op::GlobalStoreI64, &[Arg::Index(offset), v(WIDE[0])]);
            }
            self.put(Op::ConstRefZero, &[Reg::reference(4).into()]);
            for global in 0..2 {
                let args = [Arg::Index(global), Arg::Index(types.buffer), Reg::reference(4).into()];
                self.put(Op::GlobalStoreRef, &args);
            }
        }
    }

    /// Folds everything into %i0 and %i2 and returns these.
    fn epilogue(&mut self) {
        self.const_i32(INDEX, 0x0100_0193);
        self.const_i64(WIDE[1], 0x0000_0100_0000_01B3);
        for register in &I32[1..] {
            self.put(Op::FmaI32, &[v(0), v(INDEX), v(*register), v(0)]);
        }
        for register in F32 {
            self.clean_f32(*register, f32::NAN.to_bits());
            self.put(Op::BitcastF32I32, &[v(FLOAT), v(4)]);
            self.put(Op::FmaI32, &[v(0), v(INDEX), v(4), v(0)]);
        }
        for register in &I64[1..] {
            self.put(Op::FmaI64, &[v(2), v(WIDE[1]), v(*register), v(2)]);
        }
        for register in F64 {
            self.clean_f64(*register, f64::NAN.to_bits());
            self.put(Op::BitcastF64I64, &[v(DOUBLE), v(12)]);
            self.put(Op::FmaI64, &[v(2), v(WIDE[1]), v(12), v(2)]);
        }
        self.put(Op::ConstI64Zero, &[v(WIDE[0])]);
        self.put(Op::BufferLength, &[BUFFER.into(), v(14)]);
        self.put(Op::BufferHash, &[BUFFER.into(), v(WIDE[0]), v(14), v(12)]);
        self.put(Op::FmaI64, &[v(2), v(WIDE[1]), v(12), v(2)]);
        for list in [LIST, INTS] {
            self.put(Op::ListSize, &[list.into(), v(4)]);
            self.put(Op::FmaI32, &[v(0), v(INDEX), v(4), v(0)]);
        }
        for element in 0..4 {
            self.const_i32(5, element);
            self.put(Op::ListGetI32, &[INTS.into(), v(5), v(4)]);
            self.put(Op::FmaI32, &[v(0), v(INDEX), v(4), v(0)]);
        }
        for register in LOOSE {
            self.put(Op::CmpNzRef, &[Reg::reference(*register).into(), v(4)]);
            self.put(Op::FmaI32, &[v(0), v(INDEX), v(4), v(0)]);
        }
        let all = (0..8).map(Reg::reference).collect();
        self.put(Op::DiscardRefs, &[Arg::List(all)]);
        self.put(Op::Return, &[Arg::List(vec![Reg::value(0), Reg::value(2)])]);
    }

    /// The float, or this one instead of a NaN, in the scratch register.
    fn clean_f32(&mut self, register: u16, instead: u32) {
        self.put(Op::CmpNanF32, &[v(register), v(5)]);
        self.put(Op::ConstF32, &[Arg::Imm32(instead), v(FLOAT)]);
        self.put(Op::SelectF32, &[v(5), v(FLOAT), v(register), v(FLOAT)]);
    }

    fn clean_f64(&mut self, register: u16, instead: u64) {
        self.put(Op::CmpNanF64, &[v(register), v(5)]);
        self.put(Op::ConstF64, &[Arg::Imm64(instead), v(DOUBLE)]);
        self.put(Op::SelectF64, &[v(5), v(DOUBLE), v(register), v(DOUBLE)]);
    }

    fn statements(&mut self, count: usize, depth: u16) {
        for _ in 0..count {
            match self.random.below(20) {
                0 if depth < 3 => self.branch(depth),
                1 if depth < 3 => self.table(depth),
                2 if depth < 2 => self.repeat(depth),
                3 => self.jump(),
                4 if self.calls => self.call(),
                _ => {
                    let op = self.random.pick(Op::ALL);
                    self.operation(op);
                }
            }
        }
    }

    /// Moves between registers of one kind, as branches carry them.
    fn moves(&mut self) -> Vec<(Reg, Reg)> {
        let mut moves = Vec::new();
        for _ in 0..self.random.below(3) {
            let (from, to) = (self.random.pick(I32), self.random.pick(I32));
            if from != to {
                moves.push((Reg::value(from), Reg::value(to)));
            }
        }
        if self.random.once_in(3) {
            let (from, to) = (self.random.pick(I64), self.random.pick(I64));
            if from != to {
                moves.extend([0, 1].map(|half| (Reg::value(from + half), Reg::value(to + half))));
            }
        }
        if self.random.once_in(4) {
            let (from, to) = (self.random.pick(LOOSE), self.random.pick(LOOSE));
            if from != to {
                let from = Reg::reference(from);
                let from = if self.random.once_in(2) { from.moved() } else { from };
                moves.push((from, Reg::reference(to)));
            }
        }
        moves
    }

    fn jump_to(&mut self, label: u32) {
        let moves = Arg::Remap(self.moves());
        self.put(Op::Br, &[Arg::Block(label), moves]);
    }

    fn bind(&mut self, label: u32) {
        self.code.bind(Some(label)).expect("a fresh label");
    }

    fn jump(&mut self) {
        let next = self.code.label();
        let moves = Arg::Remap(self.moves());
        match self.random.below(4) {
            0 => self.put(Op::Break, &[Arg::Block(next), moves]),
            1 => {
                let condition = self.random.pick(I32);
                self.put(Op::CondBreak, &[v(condition), Arg::Block(next), moves]);
            }
            _ => self.put(Op::Br, &[Arg::Block(next), moves]),
        }
        self.bind(next);
    }

    fn branch(&mut self, depth: u16) {
        let [yes, no, end] = [(); 3].map(|()| self.code.label());
        let condition = self.random.pick(I32);
        let (first, second) = (Arg::Remap(self.moves()), Arg::Remap(self.moves()));
        self.put(Op::CondBr, &[v(condition), Arg::Block(yes), first, Arg::Block(no), second]);
        for label in [yes, no] {
            self.bind(label);
            let count = self.random.below(4);
            self.statements(count, depth + 1);
            self.jump_to(end);
        }
        self.bind(end);
    }

    fn table(&mut self, depth: u16) {
        let labels: Vec<u32> = (0..1 + self.random.below(4)).map(|_| self.code.label()).collect();
        let end = self.code.label();
        let index = self.random.pick(I32);
        let cases = labels[1..].iter().map(|label| (*label, self.moves())).collect();
        let default = Arg::Remap(self.moves());
        self.put(Op::BrTable, &[v(index), Arg::Block(labels[0]), default, Arg::Cases(cases)]);
        for label in labels {
            self.bind(label);
            self.statements(1, depth + 1);
            self.jump_to(end);
        }
        self.bind(end);
    }

    fn repeat(&mut self, depth: u16) {
        let (body, end) = (self.code.label(), self.code.label());
        let counter = COUNTERS + 2 * self.loops;
        self.loops += 1;
        let times = 1 + self.random.below(6) as i64;
        self.const_i32(counter, times);
        self.put(Op::Br, &[Arg::Block(body), Arg::Remap(Vec::new())]);
        self.bind(body);
        let count = 1 + self.random.below(5);
        self.statements(count, depth + 1);
        self.const_i32(counter + 1, -1);
        self.put(Op::AddI32, &[v(counter), v(counter + 1), v(counter)]);
        let (first, second) = (Arg::Remap(self.moves()), Arg::Remap(self.moves()));
        self.put(Op::CondBr, &[v(counter), Arg::Block(body), first, Arg::Block(end), second]);
        self.bind(end);
    }

    fn call(&mut self) {
        let callee = Arg::Callee(Callee::Internal(self.random.below(HELPERS) as u32));
        let pair = |a, b| Arg::List(vec![Reg::value(a), Reg::value(b)]);
        let arguments = pair(self.random.pick(I32), self.random.pick(I64));
        let results = pair(self.random.pick(I32), self.random.pick(I64));
        if self.random.once_in(4) {
            let next = self.code.label();
            self.put(Op::CallYieldable, &[callee, arguments, Arg::Block(next), results]);
            self.bind(next);
        } else {
            self.put(Op::Call, &[callee, arguments, results]);
        }
    }

    /// One instruction, with what makes it fail rarely before it; nothing for those that have their own statements.
    fn operation(&mut self, op: Op) {
        let name = op.mnemonic();
        if op.is_terminator() || matches!(op, Op::Block | Op::Call | Op::CallVariadic) {
            return;
        }
        let is_global = name.starts_with("global.");
        if is_global && !self.calls {
            return;
        }
        self.guard(op);
        let mut args = Vec::new();
        for (position, kind) in op.kinds().iter().enumerate() {
            let arg = self.operand(op, position, *kind);
            args.push(arg);
        }
        self.put(op, &args);
        // Stock keeps the low half only.
        if let (Op::SwitchI64, Some(result)) = (op, args.last()) {
            self.put(Op::TruncI64I32, &[result.clone(), v(INDEX)]);
            self.put(Op::ExtI32I64U, &[v(INDEX), result.clone()]);
        }
    }

    /// Puts indices, offsets and divisors that fit into the scratch registers; once in a while others.
    fn guard(&mut self, op: Op) {
        let name = op.mnemonic();
        let width = width_of(name);
        let rare = self.random.once_in(120);
        if name.starts_with("list.")
            || name.starts_with("global.")
            || name == "buffer.alloc"
            || name == "buffer.clone"
        {
            let value = match name {
                "list.alloc" | "list.reserve" => self.random.below(100) as i64,
                "list.resize" => 4 + self.random.below(4) as i64,
                "buffer.alloc" | "buffer.clone" if rare => 3,
                "buffer.alloc" | "buffer.clone" => self.random.pick(&[0, 1, 16, 64]),
                _ if rare => 1000,
                _ if name.ends_with(".ref") && name.starts_with("global.") => self.random.below(2) as i64,
                _ if name.starts_with("global.") => {
                    let base = if name.ends_with("f32") || name.ends_with("f64") { 32 } else { 0 };
                    base + self.random.below(33 - width) as i64
                }
                _ => self.random.below(4) as i64,
            };
            self.const_i32(INDEX, value);
        }
        if name.starts_with("buffer.") {
            let count = self.random.below(16 / width + 1) as i64;
            let low = self.random.below(16 / width) as i64;
            let high = (32 / width + self.random.below(16 / width)) as i64;
            let high = if rare { 1000 } else { high };
            self.const_i64(WIDE[0], low);
            self.const_i64(WIDE[1], high);
            self.const_i64(WIDE[2], count);
        }
        if name.starts_with("div.i") || name.starts_with("rem.i") {
            self.divisor(name.contains("i64"), rare);
        }
        match op {
            op if shows_bits(op) && op.kinds().contains(&Kind::F64) => {
                let from = self.random.pick(F64);
                self.clean_f64(from, f64::NAN.to_bits());
            }
            op if shows_bits(op) => {
                let from = self.random.pick(F32);
                self.clean_f32(from, f32::NAN.to_bits());
            }
            Op::CastF32Ui64 => {
                let from = self.random.pick(F32);
                self.clean_f32(from, 1f32.to_bits());
                self.put(Op::AbsF32, &[v(FLOAT), v(FLOAT)]);
            }
            _ => {}
        }
    }

    /// A positive divisor, or rarely any.
    fn divisor(&mut self, wide: bool, rare: bool) {
        if wide {
            let from = self.random.pick(I64);
            self.const_i64(WIDE[1], if rare { -1 } else { i64::MAX });
            self.put(Op::AndI64, &[v(from), v(WIDE[1]), v(WIDE[0])]);
            self.const_i64(WIDE[1], i64::from(!rare));
            self.put(Op::OrI64, &[v(WIDE[0]), v(WIDE[1]), v(WIDE[0])]);
        } else {
            let from = self.random.pick(I32);
            self.const_i32(INDEX + 1, if rare { -1 } else { i32::MAX.into() });
            self.put(Op::AndI32, &[v(from), v(INDEX + 1), v(INDEX)]);
            self.const_i32(INDEX + 1, i64::from(!rare));
            self.put(Op::OrI32, &[v(INDEX), v(INDEX + 1), v(INDEX)]);
        }
    }

    fn operand(&mut self, op: Op, position: usize, kind: Kind) -> Arg {
        let name = op.mnemonic();
        let scratch_index = name.starts_with("list.")
            || name.contains("global.") && name.contains("indirect") && position == 0
            || name == "buffer.alloc"
            || name == "buffer.clone";
        let divides = name.starts_with("div.i") || name.starts_with("rem.i");
        match kind {
            Kind::I32 if divides && position == 1 => v(INDEX),
            Kind::I64 if divides && position == 1 => v(WIDE[0]),
            // The value of a list comes last.
            Kind::I32 if scratch_index && !(name == "list.set.i32" && position == 2) => v(INDEX),
            Kind::I64 if name.starts_with("buffer.") => self.buffer_operand(op, position),
            Kind::F32 if shows_bits(op) || op == Op::CastF32Ui64 => v(FLOAT),
            Kind::F64 if shows_bits(op) => v(DOUBLE),
            Kind::I32 | Kind::OutI32 => v(self.random.pick(I32)),
            Kind::I64 | Kind::OutI64 => v(self.random.pick(I64)),
            Kind::F32 | Kind::OutF32 => v(self.random.pick(F32)),
            Kind::F64 | Kind::OutF64 => v(self.random.pick(F64)),
            Kind::ImmI32 => Arg::Imm32(number(self.random) as u32),
            Kind::ImmI64 => Arg::Imm64(number(self.random) as u64),
            Kind::ImmF32 => Arg::Imm32((float(self.random) as f32).to_bits()),
            Kind::ImmF64 => Arg::Imm64(float(self.random).to_bits()),
            Kind::Global4 | Kind::Global8 => {
                let base = if name.ends_with("f32") || name.ends_with("f64") { 32 } else { 0 };
                let width = if kind == Kind::Global4 { 4 } else { 8 };
                Arg::Index(base + width * self.random.below(32 / width as usize) as u32)
            }
            Kind::GlobalRef => Arg::Index(self.random.below(2) as u32),
            Kind::Rodata => Arg::Index(0),
            Kind::Type => Arg::Index(self.type_of(op)),
            Kind::Callee | Kind::Import => Arg::Callee(Callee::Import(0)),
            Kind::Text => Arg::Text(b"text"[..self.random.below(4)].to_vec()),
            _ if kind.is_list() => self.list(kind),
            _ => self.reference(op, position, kind),
        }
    }

    /// Source ranges lie in the lower half of a buffer, written ones in the upper: copies never overlap.
    fn buffer_operand(&mut self, op: Op, position: usize) -> Arg {
        let name = op.mnemonic();
        let reads = name.starts_with("buffer.load");
        let last = match op {
            Op::BufferAlloc => return v(WIDE[0]),
            Op::BufferClone | Op::BufferHash => 2,
            Op::BufferCopy | Op::BufferCompare => 4,
            _ if name.starts_with("buffer.fill") => 2,
            _ => usize::MAX,
        };
        match position {
            position if position == last => v(WIDE[2]),
            2 if op == Op::BufferStoreI64 => v(self.random.pick(I64)),
            3 if op == Op::BufferFillI64 => v(self.random.pick(I64)),
            1 if reads && self.random.once_in(2) => v(WIDE[1]),
            1 if name.starts_with("buffer.store") || name.starts_with("buffer.fill") => v(WIDE[1]),
            1 => v(WIDE[0]),
            _ => v(WIDE[1]),
        }
    }

    fn type_of(&mut self, op: Op) -> u32 {
        let types = self.types;
        match op {
            Op::ListAlloc => self.random.pick(&[types.any, types.i32, types.buffer]),
            Op::CastAnyRef if self.random.once_in(8) => types.list,
            Op::ListGetRef => self.random.pick(&[types.buffer, types.buffer, types.list, types.ints]),
            _ => types.buffer,
        }
    }

    fn list(&mut self, kind: Kind) -> Arg {
        let length = self.random.below(4);
        let list = (0..length).map(|_| match kind {
            Kind::ListI64 => Reg::value(self.random.pick(I64)),
            Kind::ListF32 => Reg::value(self.random.pick(F32)),
            Kind::ListF64 => Reg::value(self.random.pick(F64)),
            Kind::ListRef => self.random.pick(&[BUFFER, RODATA]),
            Kind::Discards => Reg::reference(self.random.pick(LOOSE)),
            _ => Reg::value(self.random.pick(I32)),
        });
        Arg::List(list.collect())
    }

    fn reference(&mut self, op: Op, position: usize, kind: Kind) -> Arg {
        let name = op.mnemonic();
        let loose = Reg::reference(self.random.pick(LOOSE));
        let reg = match kind {
            Kind::OutRef | Kind::OutRefTake => loose,
            _ if name.starts_with("list.") && position == 0 => {
                let typed = name.ends_with(".ref");
                if typed || self.random.once_in(8) { LIST } else { INTS }
            }
            _ if op == Op::ListSetRef => self.random.pick(&[BUFFER, RODATA, INTS]),
            _ if op == Op::BufferCopy && position == 2 => BUFFER,
            _ if name.starts_with("buffer.store") || name.starts_with("buffer.fill") => {
                if self.random.once_in(200) { RODATA } else { BUFFER }
            }
            _ if name.starts_with("buffer.") => self.random.pick(&[BUFFER, RODATA]),
            _ if matches!(op, Op::CmpEqRef | Op::CmpNeRef | Op::CmpNzRef | Op::AssignRef) => {
                self.random.pick(&[LIST, BUFFER, RODATA, loose])
            }
            _ => self.random.pick(&[BUFFER, RODATA]),
        };
        reg.into()
    }
}

/// Whether something can look at the bits of the float that this instruction takes: globals and buffers can be read as
/// integers, and at other offsets than they were written at.
fn shows_bits(op: Op) -> bool {
    matches!(
        op,
        Op::BitcastF32I32
            | Op::BitcastF64I64
            | Op::BufferStoreF32
            | Op::BufferStoreF64
            | Op::BufferFillF32
            | Op::BufferFillF64
            | Op::GlobalStoreF32
            | Op::GlobalStoreF64
            | Op::GlobalStoreIndirectF32
            | Op::GlobalStoreIndirectF64
    )
}

/// The bytes of what the instruction moves.
fn width_of(name: &str) -> usize {
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    match name {
        _ if ends(&["i64", "f64"]) => 8,
        _ if ends(&["i32", "f32"]) => 4,
        _ if name.contains("i16") => 2,
        _ => 1,
    }
}

fn v(register: u16) -> Arg {
    Arg::Reg(Reg::value(register))
}

#[cfg(test)]
mod tests {
    use super::*;
    use raddle_vm::Module;
    use raddle_vm::isa::Operand;
    use std::collections::BTreeSet;

    #[test]
    fn floats_are_cleaned_before_their_bits_can_be_seen() {
        let mut seen = BTreeSet::new();
        for seed in 0..40 {
            let module = Module::load(module(seed, 25).builder.build()).expect("a module that loads");
            for function in module.functions() {
                for inst in function.instructions().filter(|inst| shows_bits(inst.op)) {
                    let floats = inst.operands().filter(|(kind, _)| matches!(kind, Kind::F32 | Kind::F64));
                    for (kind, operand) in floats {
                        let clean = if kind == Kind::F32 { FLOAT } else { DOUBLE };
                        let is_clean = matches!(operand, Operand::Reg(reg) if reg == Reg::value(clean));
                        assert!(is_clean, "seed {seed}: {operand:?} of {}", inst.op.mnemonic());
                        seen.insert(inst.op);
                    }
                }
            }
        }
        assert_eq!(seen.len(), 10, "{seen:?}");
    }
}
