//! The operations of the engines, one row each: shape, name, action.
//!
//! A row means: the handler calls `shape(state, word, action)`; shapes and actions are functions of [`super::ops`].
//! Operations with the name of a bytecode instruction take its register operands in order: result in `d`, operands in
//! `a`, `b`, `c`, further ones in the next slot. The others are made by the translator and say what they take
//! where they are defined.
//!
//! Not here: the instruction set of the bytecode ([`crate::isa`]).

macro_rules! operations {
    ($callback:ident) => {
        $callback! {
            bin AddI32 u32::wrapping_add; bin SubI32 u32::wrapping_sub; bin MulI32 u32::wrapping_mul;
            div DivI32S int::div_i32; div DivI32U int::div_u32; div RemI32S int::rem_i32; div RemI32U int::rem_u32;
            ter FmaI32 int::fma_u32;
            bin AddI64 u64::wrapping_add; bin SubI64 u64::wrapping_sub; bin MulI64 u64::wrapping_mul;
            div DivI64S int::div_i64; div DivI64U int::div_u64; div RemI64S int::rem_i64; div RemI64U int::rem_u64;
            ter FmaI64 int::fma_u64;
            un NotI32 int::not_u32; bin AndI32 int::and_u32; bin OrI32 int::or_u32; bin XorI32 int::xor_u32;
            un NotI64 int::not_u64; bin AndI64 int::and_u64; bin OrI64 int::or_u64; bin XorI64 int::xor_u64;
            bin ShlI32 u32::wrapping_shl; bin ShrI32S i32::wrapping_shr; bin ShrI32U u32::wrapping_shr;
            bin ShlI64 u64::wrapping_shl; bin ShrI64S i64::wrapping_shr; bin ShrI64U u64::wrapping_shr;
            un TruncI32I8 int::low8; un TruncI32I16 int::low16; un TruncI64I32 int::low32;
            un ExtI8I32S int::ext8s; un ExtI8I32U int::low8; un ExtI16I32S int::ext16s; un ExtI16I32U int::low16;
            un ExtI32I64S int::ext32s; un ExtI32I64U int::ext32u;
            cmp CmpEqI32 u32::eq; cmp CmpNeI32 u32::ne; cmp CmpLtI32S i32::lt; cmp CmpLtI32U u32::lt;
            un CmpNzI32 int::nz_u32;
            cmp CmpEqI64 u64::eq; cmp CmpNeI64 u64::ne; cmp CmpLtI64S i64::lt; cmp CmpLtI64U u64::lt;
            un CmpNzI64 int::nz_u64;
            un CtlzI32 u32::leading_zeros; un CtlzI64 int::ctlz_u64;
            un AbsI32 i32::wrapping_abs; un AbsI64 i64::wrapping_abs;
            bin MinI32S i32::min; bin MinI32U u32::min; bin MaxI32S i32::max; bin MaxI32U u32::max;
            bin MinI64S i64::min; bin MinI64U u64::min; bin MaxI64S i64::max; bin MaxI64U u64::max;
            ter SelectI32 int::select_u32; ter SelectI64 int::select_u64;

            bin AddF32 float::add32; bin SubF32 float::sub32; bin MulF32 float::mul32; bin DivF32 float::div32;
            bin RemF32 float::rem32; ter FmaF32 float::fma32; un AbsF32 f32::abs; un NegF32 float::neg32;
            un CeilF32 f32::ceil; un FloorF32 f32::floor; un RoundF32 f32::round; un RoundF32Even float::even32;
            un CastSi32F32 float::i32_f32; un CastUi32F32 float::u32_f32;
            un CastF32Si32 float::f32_i32; un CastF32Ui32 float::f32_i32;
            un CastF32Si64 float::f32_i64; un CastF32Ui64 float::f32_u64;
            un CastSi64F32 float::i64_f32; un CastUi64F32 float::u64_f32;
            un AtanF32 f32::atan; bin Atan2F32 f32::atan2; un CosF32 f32::cos; un SinF32 f32::sin; un ExpF32 f32::exp;
            un Exp2F32 f32::exp2; un Expm1F32 f32::exp_m1; un LogF32 f32::ln; un Log10F32 f32::log10;
            un Log1pF32 f32::ln_1p; un Log2F32 f32::log2; bin PowF32 f32::powf; un RsqrtF32 float::rsqrt32;
            un SqrtF32 f32::sqrt; un TanhF32 f32::tanh; un ErfF32 float::erf32;
            cmp CmpEqF32O f32::eq; cmp CmpEqF32U float::eq_u32; cmp CmpNeF32O f32::ne; cmp CmpNeF32U f32::ne;
            cmp CmpLtF32O f32::lt; cmp CmpLtF32U float::lt_u32; cmp CmpLteF32O f32::le; cmp CmpLteF32U float::le_u32;
            un CmpNanF32 float::nan32; bin MinF32 float::min32; bin MaxF32 float::max32;

            bin AddF64 float::add64; bin SubF64 float::sub64; bin MulF64 float::mul64; bin DivF64 float::div64;
            bin RemF64 float::rem64; ter FmaF64 float::fma64; un AbsF64 f64::abs; un NegF64 float::neg64;
            un CeilF64 f64::ceil; un FloorF64 f64::floor; un RoundF64 f64::round; un RoundF64Even float::even64;
            un TruncF64F32 float::f64_f32; un ExtF32F64 float::f32_f64;
            un CastSi32F64 float::i32_f64; un CastUi32F64 float::u32_f64;
            un CastF64Si32 float::f64_i32; un CastF64Ui32 float::f64_i32;
            un CastF64Si64 float::f64_i64; un CastF64Ui64 float::f64_i64;
            un CastSi64F64 float::i64_f64; un CastUi64F64 float::u64_f64;
            un AtanF64 f64::atan; bin Atan2F64 f64::atan2; un CosF64 f64::cos; un SinF64 f64::sin; un ExpF64 f64::exp;
            un Exp2F64 f64::exp2; un Expm1F64 f64::exp_m1; un LogF64 f64::ln; un Log10F64 f64::log10;
            un Log1pF64 f64::ln_1p; un Log2F64 f64::log2; bin PowF64 f64::powf; un RsqrtF64 float::rsqrt64;
            un SqrtF64 f64::sqrt; un TanhF64 f64::tanh; un ErfF64 float::erf64;
            cmp CmpEqF64O f64::eq; cmp CmpEqF64U float::eq_u64; cmp CmpNeF64O f64::ne; cmp CmpNeF64U f64::ne;
            cmp CmpLtF64O f64::lt; cmp CmpLtF64U float::lt_u64; cmp CmpLteF64O f64::le; cmp CmpLteF64U float::le_u64;
            un CmpNanF64 float::nan64; bin MinF64 float::min64; bin MaxF64 float::max64;

            load BufferLoadI8U buffer::u8; load BufferLoadI8S buffer::i8;
            load BufferLoadI16U buffer::u16; load BufferLoadI16S buffer::i16;
            load BufferLoadI32 buffer::u32; load BufferLoadI64 buffer::u64;
            op BufferStoreI8 buffer::store::<1>; op BufferStoreI16 buffer::store::<2>;
            op BufferStoreI32 buffer::store::<4>; op BufferStoreI64 buffer::store::<8>;
            op BufferLength buffer::length;
            slow BufferAlloc buffer::alloc; slow BufferClone buffer::clone; slow BufferHash buffer::hash;
            slow BufferCopy buffer::copy; slow BufferCompare buffer::compare;
            slow BufferFillI8 buffer::fill::<1>; slow BufferFillI16 buffer::fill::<2>;
            slow BufferFillI32 buffer::fill::<4>; slow BufferFillI64 buffer::fill::<8>;

            slow ListReserve list::reserve; slow ListSize list::size; slow ListResize list::resize;
            slow ListGetI32 list::get_i32; slow ListGetI64 list::get_i64;
            slow ListGetF32 list::get_f32; slow ListGetF64 list::get_f64;
            slow ListSetI32 list::set_i32; slow ListSetI64 list::set_i64;
            slow ListSetF32 list::set_f32; slow ListSetF64 list::set_f64;
            slow ListAlloc list::alloc; slow ListGetRef list::get_ref; slow ListSetRef list::set_ref;

            op CmpEqRef refs::eq; op CmpNeRef refs::ne; op CmpNzRef refs::nz; op ConstRefZero refs::zero;
            op RefCopy refs::copy; op RefTake refs::take; slow ConstRefRodata refs::rodata;
            slow CastAnyRef refs::cast; slow SelectRef refs::select; slow SwitchRef refs::switch;
            slow GlobalLoadRef refs::load; slow GlobalStoreRef refs::store;
            slow GlobalLoadIndirectRef refs::load_indirect; slow GlobalStoreIndirectRef refs::store_indirect;

            op GlobalLoad32 global::load::<u32>; op GlobalLoad64 global::load::<u64>;
            op GlobalStore32 global::store::<u32>; op GlobalStore64 global::store::<u64>;
            op GlobalLoadIndirect32 global::load_indirect::<u32>; op GlobalLoadIndirect64 global::load_indirect::<u64>;
            op GlobalStoreIndirect32 global::store_indirect::<u32>; op GlobalStoreIndirect64 global::store_indirect::<u64>;

            op Const32 control::const32; op Const64 control::const64; op ConstWide control::const_wide;
            op Move32 control::move32; op Move32Twice control::move32_twice; op Move64 control::move64;
            op Switch32 control::switch::<u32>; op Switch64 control::switch::<u64>;
            imm AddI32Imm u32::wrapping_add; imm MulI32Imm u32::wrapping_mul; imm AndI32Imm int::and_u32;
            imm ShlI32Imm u32::wrapping_shl; imm ShrI32SImm int::shr_i32_bits; imm ShrI32UImm u32::wrapping_shr;
            imm64 AddI64Imm u64::wrapping_add; imm64 MulI64Imm u64::wrapping_mul;

            op Jump control::jump; op JumpLoop control::jump_loop; op BrTable control::table; op Tick control::tick;
            br BrNz branch::nz; br BrZ branch::z; br_loop BrNzLoop branch::nz; br_loop BrZLoop branch::z;
            br BrEq32 branch::eq32; br BrNe32 branch::ne32; br BrLtS32 branch::lts32; br BrGeS32 branch::ges32;
            br BrLtU32 branch::ltu32; br BrGeU32 branch::geu32;
            br_loop BrEq32Loop branch::eq32; br_loop BrNe32Loop branch::ne32; br_loop BrLtS32Loop branch::lts32;
            br_loop BrGeS32Loop branch::ges32; br_loop BrLtU32Loop branch::ltu32; br_loop BrGeU32Loop branch::geu32;
            br BrEq64 branch::eq64; br BrNe64 branch::ne64; br BrLtS64 branch::lts64; br BrGeS64 branch::ges64;
            br BrLtU64 branch::ltu64; br BrGeU64 branch::geu64;
            br_loop BrEq64Loop branch::eq64; br_loop BrNe64Loop branch::ne64; br_loop BrLtS64Loop branch::lts64;
            br_loop BrGeS64Loop branch::ges64; br_loop BrLtU64Loop branch::ltu64; br_loop BrGeU64Loop branch::geu64;
            br BrEqImm branch::eqi; br BrNeImm branch::nei; br BrLtSImm branch::ltsi; br BrGeSImm branch::gesi;
            br BrLtUImm branch::ltui; br BrGeUImm branch::geui;
            br_loop BrEqImmLoop branch::eqi; br_loop BrNeImmLoop branch::nei; br_loop BrLtSImmLoop branch::ltsi;
            br_loop BrGeSImmLoop branch::gesi; br_loop BrLtUImmLoop branch::ltui; br_loop BrGeUImmLoop branch::geui;
            op AddBrNe branch::add_ne; op AddBrLtS branch::add_lts; op AddBrLtU branch::add_ltu;
            op AddBrNz branch::add_nz;
            op FmaAddBrNe branch::fma_add_ne; op FmaAddBrLtS branch::fma_add_lts; op FmaAddBrLtU branch::fma_add_ltu;
            op FmaAddBrNz branch::fma_add_nz;
            op MoveJump control::move_jump; op MoveJumpLoop control::move_jump_loop;
            op MoveTwiceJump control::move_twice_jump; op MoveTwiceJumpLoop control::move_twice_jump_loop;

            op Call call::call; op CallHalf call::call_half; op CallVoid call::call_void; op CallImport call::import; op ImportResolved call::resolved;
            op ReturnVoid call::return_void; op ReturnHalf call::return_half; op ReturnWhole call::return_whole;
            op Return call::return_values; slow Leave call::leave; op Finish call::finish;
            slow Fail call::fail; slow TooManyArguments call::too_many; slow Yield call::yield_now;
        }
    };
}

pub(super) use operations;

macro_rules! opcodes {
    ($($shape:ident $name:ident $action:expr;)*) => {
        /// The operations that the engines know.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u16)]
        #[allow(missing_docs)]
        pub(crate) enum Opcode { $($name),* }

        impl Opcode {
            /// The operation with the name of a bytecode instruction: the same operands in order.
            pub(crate) const fn by_name(name: &str) -> Option<Opcode> {
                const NAMED: &[(&str, Opcode)] = &[$((stringify!($name), Opcode::$name)),*];
                let mut row = 0;
                while row < NAMED.len() {
                    if same(NAMED[row].0, name) {
                        return Some(NAMED[row].1);
                    }
                    row += 1;
                }
                None
            }
        }
    };
}

operations!(opcodes);

const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut index = left.len();
    // From the end, where names differ more often.
    while left.len() == right.len() && index > 0 && left[index - 1] == right[index - 1] {
        index -= 1;
    }
    left.len() == right.len() && index == 0
}
