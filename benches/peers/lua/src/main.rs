//! Lua 5.4, built from source by mlua. Suspension is a coroutine's.

#![forbid(unsafe_code)]

use bench_harness::{Answer, Counting, serve};
use bench_machines::{Function, LUA, Machine, lua_of};
use mlua::{Lua, Thread};
use std::any::Any;
use std::process::ExitCode;

#[global_allocator]
static MEMORY: Counting = Counting;

struct Machinery {
    lua: Lua,
}

impl Machinery {
    fn new() -> Machinery {
        let lua = Lua::new();
        lua.load(LUA).exec().expect("the programs are right");
        let inc = lua.create_function(|_, value: i64| Ok(value + 1)).expect("memory is left");
        lua.globals().set("inc", inc).expect("memory is left");
        Machinery { lua }
    }

    fn function(&self, name: &str) -> mlua::Function {
        self.lua.globals().get(name).expect("it is there")
    }

    fn thread(&self, name: &str) -> Thread {
        self.lua.create_thread(self.function(name)).expect("memory is left")
    }
}

impl Machine for Machinery {
    fn call(&mut self, which: Function, argument: i32) -> Option<i32> {
        (which != Function::FusedLoop).then_some(())?;
        // Lua's integers have 64 bits: the low ones are the result.
        Some(self.function(which.name()).call::<i64>(argument).expect("it does not fail") as i32)
    }

    fn empty(&mut self, calls: usize) -> Option<()> {
        let function = self.function("empty");
        for _ in 0..calls {
            function.call::<()>(()).expect("it does not fail");
        }
        Some(())
    }

    fn suspend(&mut self, times: usize) -> Option<(i32, usize)> {
        let thread = self.thread("waits");
        let mut value: i64 = thread.resume(times).expect("it does not fail");
        let mut suspensions = 0;
        while thread.is_resumable() {
            suspensions += 1;
            value = thread.resume(value + 1).expect("it does not fail");
        }
        Some((value as i32, suspensions))
    }

    fn suspended(&mut self, programs: usize) -> Option<Box<dyn Any>> {
        let begin = || {
            let thread = self.thread("large");
            thread.resume::<i64>(1).expect("it waits");
            thread
        };
        let all: Vec<Thread> = (0..programs).map(|_| begin()).collect();
        Some(Box::new(all))
    }

    fn loader(&mut self, functions: usize) -> Option<Box<dyn FnMut()>> {
        let text = lua_of(functions);
        Some(Box::new(move || {
            let lua = Lua::new();
            lua.load(&text).exec().expect("it loads");
        }))
    }
}

fn main() -> ExitCode {
    serve("5.4, mlua 0.12", |request| match request.parts().0 {
        "machines" => bench_machines::answer(request, &mut Machinery::new()),
        other => Answer::absent(format!("nothing for `{other}`")),
    })
}
