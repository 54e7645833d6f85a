//! Native functions with the calling conventions of a large module: the 58 functions of `hal`, version 7, as stand-ins.
//!
//! They do nothing. The claim is that each can be written, and says the letters that compiled modules import.

use raddle_status::{Code, Result};
use raddle_vm::*;

macro_rules! objects {
    ($($name:ident)*) => { $(
        struct $name;
        impl Object for $name {
            const NAME: &'static str = concat!("stand-in.", stringify!($name));
        }
    )* };
}

objects! { Allocator Memory View Channel Commands Device Executable Fence File }

/// Per context, as a real module has it.
struct State;

/// The rest of a wait on several fences.
struct Waited;

impl Resume for Waited {
    type Output = i32;
    fn resume(self, outcome: WaitOutcome) -> Result<Flow<i32, Waited>> {
        outcome.into_result().map(|_| Flow::Ready(0))
    }
}

type Builder = NativeBuilder<State>;
type Table = &'static [(&'static str, &'static str)];

macro_rules! functions {
    ($part:ident: $($name:literal $convention:literal ($($argument:ty),*) -> $result:ty;)*) => {
        fn $part(builder: Builder) -> (Builder, Table) {
            $(let builder = builder.function($name, |_: &State, $(_: $argument),*| -> Result<$result> {
                Err(Code::Unimplemented.into())
            });)*
            (builder, &[$(($name, concat!("0", $convention))),*])
        }
    };
}

functions! {
    buffers:
    "allocator.allocate" "rIiiI_r" (&Allocator, i64, i32, i32, i64) -> RefOf<Memory>;
    "allocator.import" "riIiirII_r"
        (&Allocator, bool, i64, i32, i32, &RefOf<Buffer>, i64, i64)
        -> Option<RefOf<Memory>>;
    "allocator.select" "iiICrID_rI"
        (i32, i32, i64, Variadic<'_, (&RefOf<Device>, i64)>)
        -> (RefOf<Device>, i64);
    "buffer.allocation.preserve" "r_v" (&Memory) -> ();
    "buffer.allocation.discard" "r_i" (&Memory) -> bool;
    "buffer.allocation.is_terminal" "r_i" (&Memory) -> bool;
    "buffer.assert" "rrrIii_v" (&Memory, &Buffer, &Allocator, i64, i32, i32) -> ();
    "buffer.length" "r_I" (&Memory) -> i64;
    "buffer.load" "rIi_i" (&Memory, i64, i32) -> i32;
    "buffer.store" "irIi_v" (i32, &Memory, i64, i32) -> ();
    "buffer.subspan" "rII_r" (&RefOf<Memory>, i64, i64) -> RefOf<Memory>;
    "buffer_view.assert" "rriiCID_v" (&View, &Buffer, i32, i32, Variadic<'_, i64>) -> ();
    "buffer_view.buffer" "r_r" (&View) -> RefOf<Memory>;
    "buffer_view.create" "rIIiiCID_r"
        (RefOf<Memory>, i64, i64, i32, i32, Variadic<'_, i64>)
        -> RefOf<View>;
    "buffer_view.dim" "ri_I" (&View, i32) -> i64;
    "buffer_view.element_type" "r_i" (&View) -> i32;
    "buffer_view.encoding_type" "r_i" (&View) -> i32;
    "buffer_view.rank" "r_i" (&View) -> i32;
    "buffer_view.trace" "rCrD_v" (&Buffer, Variadic<'_, &View>) -> ();
}

functions! {
    commands:
    "channel.create" "rIIrrii_r"
        (&Device, i64, i64, Option<&Buffer>, Option<&Buffer>, i32, i32)
        -> RefOf<Channel>;
    "channel.split" "riiI_r" (&Channel, i32, i32, i64) -> RefOf<Channel>;
    "channel.rank_and_count" "r_ii" (&Channel) -> (i32, i32);
    "command_buffer.create" "riiIi_r" (&Device, i32, i32, i64, i32) -> RefOf<Commands>;
    "command_buffer.finalize" "r_v" (&Commands) -> ();
    "command_buffer.begin_debug_group" "rr_v" (&Commands, &Buffer) -> ();
    "command_buffer.end_debug_group" "r_v" (&Commands) -> ();
    "command_buffer.execution_barrier" "riiI_v" (&Commands, i32, i32, i64) -> ();
    "command_buffer.advise_buffer" "rrIIIi_v" (&Commands, Option<&Memory>, i64, i64, i64, i32) -> ();
    "command_buffer.fill_buffer" "rrIIiIiI_v"
        (&Commands, Option<&Memory>, i64, i64, i32, i64, i32, i64)
        -> ();
    "command_buffer.update_buffer" "rrIrIIiI_v"
        (&Commands, &Buffer, i64, Option<&Memory>, i64, i64, i32, i64)
        -> ();
    "command_buffer.copy_buffer" "riirIrIII_v"
        (&Commands, i32, i32, Option<&Memory>, i64, Option<&Memory>, i64, i64, i64)
        -> ();
    "command_buffer.collective" "rriiiirrIIIII_v"
        (&Commands, &Channel, i32, i32, i32, i32, Option<&Memory>, Option<&Memory>, i64, i64, i64, i64, i64)
        -> ();
    "command_buffer.dispatch" "rrIiiiICiDCiirIID_v"
        (&Commands, &Executable, i64, i32, i32, i32, i64, Variadic<'_, i32>, Variadic<'_, (i32, i32, Option<&Memory>, i64, i64)>)
        -> ();
    "command_buffer.dispatch.indirect" "rrIirIICiDCiirIID_v"
        (&Commands, &Executable, i64, i32, Option<&Memory>, i64, i64, Variadic<'_, i32>, Variadic<'_, (i32, i32, Option<&Memory>, i64, i64)>)
        -> ();
}

functions! {
    devices:
    "device.allocator" "r_r" (&Device) -> RefOf<Allocator>;
    "device.query.i64" "rrr_iI" (&Device, &Buffer, &Buffer) -> (bool, i64);
    "device.queue.alloca" "rIrrIiiII_r"
        (&Device, i64, Option<&Ref>, Option<&Ref>, i64, i32, i32, i64, i64)
        -> RefOf<Memory>;
    "device.queue.dealloca" "rIrrrI_v"
        (&Device, i64, Option<&Ref>, Option<&Ref>, RefOf<Memory>, i64)
        -> ();
    "device.queue.fill" "rIrrrIIIiI_v"
        (&Device, i64, Option<&Ref>, Option<&Ref>, &RefOf<Memory>, i64, i64, i64, i32, i64)
        -> ();
    "device.queue.update" "rIrrrIrIII_v"
        (&Device, i64, Option<&Ref>, Option<&Ref>, &Buffer, i64, &RefOf<Memory>, i64, i64, i64)
        -> ();
    "device.queue.copy" "rIrrrIrIII_v"
        (&Device, i64, Option<&Ref>, Option<&Ref>, &RefOf<Memory>, i64, &RefOf<Memory>, i64, i64, i64)
        -> ();
    "device.queue.read" "rIrrrIrIII_v"
        (&Device, i64, Option<&Ref>, Option<&Ref>, &RefOf<File>, i64, &RefOf<Memory>, i64, i64, i64)
        -> ();
    "device.queue.write" "rIrrrIrIII_v"
        (&Device, i64, Option<&Ref>, Option<&Ref>, &RefOf<Memory>, i64, &RefOf<File>, i64, i64, i64)
        -> ();
    "device.queue.barrier" "rIrrI_v" (&Device, i64, Option<&Ref>, Option<&Ref>, i64) -> ();
    "device.queue.execute" "rIrrrI_v"
        (&Device, i64, Option<&Ref>, Option<&Ref>, &RefOf<Commands>, i64)
        -> ();
    "device.queue.execute.indirect" "rIrrrICrIID_v"
        (&Device, i64, Option<&Ref>, Option<&Ref>, &RefOf<Commands>, i64, Variadic<'_, (Option<&RefOf<Memory>>, i64, i64)>)
        -> ();
    "device.queue.flush" "rI_v" (&Device, i64) -> ();
    "devices.count" "v_i" () -> i32;
    "devices.get" "i_r" (i32) -> Option<RefOf<Device>>;
    "ex.file.from_memory" "rIirIIi_r" (&Device, i64, i32, RefOf<Buffer>, i64, i64, i32) -> RefOf<File>;
    "executable.create" "rIrrr_r"
        (&Device, i64, &Buffer, &RefOf<Buffer>, Option<&Buffer>)
        -> RefOf<Executable>;
    "executable.lookup.function" "rr_I" (&Executable, &Buffer) -> i64;
    "fence.await" "iICrD_i" (i32, i64, Variadic<'_, Option<&Fence>>) -> Flow<i32, Waited>;
    "fence.create" "rI_r" (&Device, i64) -> RefOf<Fence>;
    "fence.fail" "ri_v" (&Fence, i32) -> ();
    "fence.join" "ICrD_r" (i64, Variadic<'_, Option<&RefOf<Fence>>>) -> Option<RefOf<Fence>>;
    "fence.query" "r_i" (&Fence) -> i32;
    "fence.signal" "r_v" (&Fence) -> ();
}

#[test]
fn every_convention_of_a_large_module_can_be_written() {
    let mut builder = NativeModule::with_state("hal", || Ok(State));
    let mut expected = Vec::new();
    for part in [buffers, commands, devices] {
        let (more, table) = part(builder);
        builder = more;
        expected.extend(table);
    }
    assert_eq!(expected.len(), 58);
    let module = builder.build().unwrap();
    assert!(module.exports().eq(expected));
}
