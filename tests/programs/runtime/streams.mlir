// Programs that wait on the world: pipes, sockets, files.
vm.module @streams {
  vm.import private @raddle.pipe.create() -> (!vm.ref<?>, !vm.ref<?>)
  vm.import private @raddle.stream.read(%stream: !vm.ref<?>, %max: i64) -> !vm.buffer attributes {vm.yield}
  vm.import private @raddle.stream.read_line(%stream: !vm.ref<?>) -> !vm.buffer attributes {vm.yield}
  vm.import private @raddle.stream.write(%stream: !vm.ref<?>, %bytes: !vm.buffer) attributes {vm.yield}
  vm.import private @raddle.stream.close(%stream: !vm.ref<?>)
  vm.import private @raddle.stream.connect(%port: i32) -> !vm.ref<?> attributes {vm.yield}
  vm.import private @raddle.listener.bind(%port: i32) -> !vm.ref<?>
  vm.import private @raddle.listener.port(%listener: !vm.ref<?>) -> i32
  vm.import private @raddle.listener.accept(%listener: !vm.ref<?>) -> !vm.ref<?> attributes {vm.yield}
  vm.import private @raddle.file.open(%path: !vm.buffer, %mode: i32) -> !vm.ref<?>
  vm.import private @raddle.file.read(%file: !vm.ref<?>, %max: i64) -> !vm.buffer attributes {vm.yield}
  vm.import private @raddle.file.write(%file: !vm.ref<?>, %bytes: !vm.buffer) attributes {vm.yield}

  // How many lines come before the end, and how many bytes they have.
  vm.export @lines
  vm.func @lines(%stream: !vm.ref<?>) -> (i64, i64) {
    %zero = vm.const.i64 0
    vm.br ^loop(%zero, %zero : i64, i64)
  ^loop(%count: i64, %bytes: i64):
    vm.call.yieldable @raddle.stream.read_line(%stream) : (!vm.ref<?>) -> ^got(!vm.buffer)
  ^got(%line: !vm.buffer):
    %is_line = vm.cmp.nz.ref %line : !vm.buffer
    vm.cond_br %is_line, ^more, ^done
  ^more:
    %one = vm.const.i64 1
    %length = vm.buffer.length %line : !vm.buffer -> i64
    %counted = vm.add.i64 %count, %one : i64
    %summed = vm.add.i64 %bytes, %length : i64
    vm.br ^loop(%counted, %summed : i64, i64)
  ^done:
    vm.return %count, %bytes : i64, i64
  }

  // Writes everything from one stream to another, then closes that.
  vm.export @copy
  vm.func @copy(%from: !vm.ref<?>, %to: !vm.ref<?>) -> i64 {
    %zero = vm.const.i64 0
    vm.br ^loop(%zero : i64)
  ^loop(%bytes: i64):
    %max = vm.const.i64 16384
    vm.call.yieldable @raddle.stream.read(%from, %max) : (!vm.ref<?>, i64) -> ^got(!vm.buffer)
  ^got(%chunk: !vm.buffer):
    %is_chunk = vm.cmp.nz.ref %chunk : !vm.buffer
    vm.cond_br %is_chunk, ^put, ^done
  ^put:
    vm.call.yieldable @raddle.stream.write(%to, %chunk) : (!vm.ref<?>, !vm.buffer) -> ^next()
  ^next:
    %length = vm.buffer.length %chunk : !vm.buffer -> i64
    %summed = vm.add.i64 %bytes, %length : i64
    vm.br ^loop(%summed : i64)
  ^done:
    vm.call @raddle.stream.close(%to) : (!vm.ref<?>) -> ()
    vm.return %bytes : i64
  }

  vm.export @write
  vm.func @write(%to: !vm.ref<?>, %bytes: !vm.buffer) {
    vm.call.yieldable @raddle.stream.write(%to, %bytes) : (!vm.ref<?>, !vm.buffer) -> ^done()
  ^done:
    vm.call @raddle.stream.close(%to) : (!vm.ref<?>) -> ()
    vm.return
  }

  vm.export @pipe
  vm.func @pipe() -> (!vm.ref<?>, !vm.ref<?>) {
    %ends:2 = vm.call @raddle.pipe.create() : () -> (!vm.ref<?>, !vm.ref<?>)
    vm.return %ends#0, %ends#1 : !vm.ref<?>, !vm.ref<?>
  }

  vm.export @listen
  vm.func @listen() -> (!vm.ref<?>, i32) {
    %any = vm.const.i32 0
    %listener = vm.call @raddle.listener.bind(%any) : (i32) -> !vm.ref<?>
    %port = vm.call @raddle.listener.port(%listener) : (!vm.ref<?>) -> i32
    vm.return %listener, %port : !vm.ref<?>, i32
  }

  // Accepts one connection and sends its first line back.
  vm.export @serve
  vm.func @serve(%listener: !vm.ref<?>) {
    vm.call.yieldable @raddle.listener.accept(%listener) : (!vm.ref<?>) -> ^accepted(!vm.ref<?>)
  ^accepted(%stream: !vm.ref<?>):
    vm.call.yieldable @raddle.stream.read_line(%stream) : (!vm.ref<?>) -> ^got(!vm.buffer)
  ^got(%line: !vm.buffer):
    vm.call.yieldable @raddle.stream.write(%stream, %line) : (!vm.ref<?>, !vm.buffer) -> ^done()
  ^done:
    vm.call @raddle.stream.close(%stream) : (!vm.ref<?>) -> ()
    vm.return
  }

  // Sends a line to a port and returns the answer.
  vm.export @ask
  vm.func @ask(%port: i32, %line: !vm.buffer) -> !vm.buffer {
    vm.call.yieldable @raddle.stream.connect(%port) : (i32) -> ^connected(!vm.ref<?>)
  ^connected(%stream: !vm.ref<?>):
    vm.call.yieldable @raddle.stream.write(%stream, %line) : (!vm.ref<?>, !vm.buffer) -> ^sent()
  ^sent:
    vm.call.yieldable @raddle.stream.read_line(%stream) : (!vm.ref<?>) -> ^got(!vm.buffer)
  ^got(%answer: !vm.buffer):
    vm.return %answer : !vm.buffer
  }

  // Writes a file and counts its bytes as they are read back.
  vm.export @file
  vm.func @file(%path: !vm.buffer, %bytes: !vm.buffer) -> i64 {
    %anew = vm.const.i32 1
    %written = vm.call @raddle.file.open(%path, %anew) : (!vm.buffer, i32) -> !vm.ref<?>
    vm.call.yieldable @raddle.file.write(%written, %bytes) : (!vm.ref<?>, !vm.buffer) -> ^reopen()
  ^reopen:
    %for_reading = vm.const.i32 0
    %file = vm.call @raddle.file.open(%path, %for_reading) : (!vm.buffer, i32) -> !vm.ref<?>
    %zero = vm.const.i64 0
    vm.br ^loop(%zero : i64)
  ^loop(%count: i64):
    %max = vm.const.i64 5000
    vm.call.yieldable @raddle.file.read(%file, %max) : (!vm.ref<?>, i64) -> ^got(!vm.buffer)
  ^got(%chunk: !vm.buffer):
    %is_chunk = vm.cmp.nz.ref %chunk : !vm.buffer
    vm.cond_br %is_chunk, ^more, ^done
  ^more:
    %length = vm.buffer.length %chunk : !vm.buffer -> i64
    %summed = vm.add.i64 %count, %length : i64
    vm.br ^loop(%summed : i64)
  ^done:
    vm.return %count : i64
  }
}
