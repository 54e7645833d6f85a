// A program that imports from a host's module with types of its own, and with a state for each session.
vm.module @client {
  vm.import private @bank.open(%balance: i64) -> !vm.ref<!bank.account>
  vm.import private @bank.balance(%account: !vm.ref<!bank.account>) -> i64
  vm.import private @bank.count() -> i32
  vm.import private @bank.settle(%more: i32) -> i32 attributes {vm.yield}

  vm.export @open
  vm.func @open(%balance: i64) -> !vm.ref<!bank.account> {
    %account = vm.call @bank.open(%balance) : (i64) -> !vm.ref<!bank.account>
    vm.return %account : !vm.ref<!bank.account>
  }

  // Fails unless it is an account.
  vm.export @balance
  vm.func @balance(%any: !vm.ref<?>) -> i64 {
    %account = vm.cast.any.ref %any : !vm.ref<?> -> !vm.ref<!bank.account>
    %balance = vm.call @bank.balance(%account) : (!vm.ref<!bank.account>) -> i64
    vm.return %balance : i64
  }

  // How many accounts this session has opened.
  vm.export @count
  vm.func @count() -> i32 {
    %count = vm.call @bank.count() : () -> i32
    vm.return %count : i32
  }

  // The same and some more, after a wait.
  vm.export @settle
  vm.func @settle(%more: i32) -> i32 {
    vm.call.yieldable @bank.settle(%more) : (i32) -> ^done(i32)
  ^done(%count: i32):
    vm.return %count : i32
  }
}
