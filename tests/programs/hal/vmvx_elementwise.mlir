// Every function of the module `vmvx` that treats elements one by one; compiled with --iree-vmvx-enable-microkernels.
#id = affine_map<(i, j) -> (i, j)>

func.func @addi(%a0: tensor<5x7xi32>, %a1: tensor<5x7xi32>) -> tensor<5x7xi32> {
  %e = tensor.empty() : tensor<5x7xi32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0, %a1 : tensor<5x7xi32>, tensor<5x7xi32>) outs(%e : tensor<5x7xi32>) {
    ^bb0(%x0: i32, %x1: i32, %o: i32):
      %y = arith.addi %x0, %x1 : i32
      linalg.yield %y : i32
  } -> tensor<5x7xi32>
  return %r : tensor<5x7xi32>
}

func.func @andi(%a0: tensor<5x7xi32>, %a1: tensor<5x7xi32>) -> tensor<5x7xi32> {
  %e = tensor.empty() : tensor<5x7xi32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0, %a1 : tensor<5x7xi32>, tensor<5x7xi32>) outs(%e : tensor<5x7xi32>) {
    ^bb0(%x0: i32, %x1: i32, %o: i32):
      %y = arith.andi %x0, %x1 : i32
      linalg.yield %y : i32
  } -> tensor<5x7xi32>
  return %r : tensor<5x7xi32>
}

func.func @divsi(%a0: tensor<5x7xi32>, %a1: tensor<5x7xi32>) -> tensor<5x7xi32> {
  %e = tensor.empty() : tensor<5x7xi32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0, %a1 : tensor<5x7xi32>, tensor<5x7xi32>) outs(%e : tensor<5x7xi32>) {
    ^bb0(%x0: i32, %x1: i32, %o: i32):
      %y = arith.divsi %x0, %x1 : i32
      linalg.yield %y : i32
  } -> tensor<5x7xi32>
  return %r : tensor<5x7xi32>
}

func.func @divui(%a0: tensor<5x7xi32>, %a1: tensor<5x7xi32>) -> tensor<5x7xi32> {
  %e = tensor.empty() : tensor<5x7xi32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0, %a1 : tensor<5x7xi32>, tensor<5x7xi32>) outs(%e : tensor<5x7xi32>) {
    ^bb0(%x0: i32, %x1: i32, %o: i32):
      %y = arith.divui %x0, %x1 : i32
      linalg.yield %y : i32
  } -> tensor<5x7xi32>
  return %r : tensor<5x7xi32>
}

func.func @muli(%a0: tensor<5x7xi32>, %a1: tensor<5x7xi32>) -> tensor<5x7xi32> {
  %e = tensor.empty() : tensor<5x7xi32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0, %a1 : tensor<5x7xi32>, tensor<5x7xi32>) outs(%e : tensor<5x7xi32>) {
    ^bb0(%x0: i32, %x1: i32, %o: i32):
      %y = arith.muli %x0, %x1 : i32
      linalg.yield %y : i32
  } -> tensor<5x7xi32>
  return %r : tensor<5x7xi32>
}

func.func @ori(%a0: tensor<5x7xi32>, %a1: tensor<5x7xi32>) -> tensor<5x7xi32> {
  %e = tensor.empty() : tensor<5x7xi32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0, %a1 : tensor<5x7xi32>, tensor<5x7xi32>) outs(%e : tensor<5x7xi32>) {
    ^bb0(%x0: i32, %x1: i32, %o: i32):
      %y = arith.ori %x0, %x1 : i32
      linalg.yield %y : i32
  } -> tensor<5x7xi32>
  return %r : tensor<5x7xi32>
}

func.func @shli(%a0: tensor<5x7xi32>, %a1: tensor<5x7xi32>) -> tensor<5x7xi32> {
  %e = tensor.empty() : tensor<5x7xi32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0, %a1 : tensor<5x7xi32>, tensor<5x7xi32>) outs(%e : tensor<5x7xi32>) {
    ^bb0(%x0: i32, %x1: i32, %o: i32):
      %y = arith.shli %x0, %x1 : i32
      linalg.yield %y : i32
  } -> tensor<5x7xi32>
  return %r : tensor<5x7xi32>
}

func.func @shrsi(%a0: tensor<5x7xi32>, %a1: tensor<5x7xi32>) -> tensor<5x7xi32> {
  %e = tensor.empty() : tensor<5x7xi32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0, %a1 : tensor<5x7xi32>, tensor<5x7xi32>) outs(%e : tensor<5x7xi32>) {
    ^bb0(%x0: i32, %x1: i32, %o: i32):
      %y = arith.shrsi %x0, %x1 : i32
      linalg.yield %y : i32
  } -> tensor<5x7xi32>
  return %r : tensor<5x7xi32>
}

func.func @shrui(%a0: tensor<5x7xi32>, %a1: tensor<5x7xi32>) -> tensor<5x7xi32> {
  %e = tensor.empty() : tensor<5x7xi32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0, %a1 : tensor<5x7xi32>, tensor<5x7xi32>) outs(%e : tensor<5x7xi32>) {
    ^bb0(%x0: i32, %x1: i32, %o: i32):
      %y = arith.shrui %x0, %x1 : i32
      linalg.yield %y : i32
  } -> tensor<5x7xi32>
  return %r : tensor<5x7xi32>
}

func.func @subi(%a0: tensor<5x7xi32>, %a1: tensor<5x7xi32>) -> tensor<5x7xi32> {
  %e = tensor.empty() : tensor<5x7xi32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0, %a1 : tensor<5x7xi32>, tensor<5x7xi32>) outs(%e : tensor<5x7xi32>) {
    ^bb0(%x0: i32, %x1: i32, %o: i32):
      %y = arith.subi %x0, %x1 : i32
      linalg.yield %y : i32
  } -> tensor<5x7xi32>
  return %r : tensor<5x7xi32>
}

func.func @xori(%a0: tensor<5x7xi32>, %a1: tensor<5x7xi32>) -> tensor<5x7xi32> {
  %e = tensor.empty() : tensor<5x7xi32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0, %a1 : tensor<5x7xi32>, tensor<5x7xi32>) outs(%e : tensor<5x7xi32>) {
    ^bb0(%x0: i32, %x1: i32, %o: i32):
      %y = arith.xori %x0, %x1 : i32
      linalg.yield %y : i32
  } -> tensor<5x7xi32>
  return %r : tensor<5x7xi32>
}

func.func @addf(%a0: tensor<5x7xf32>, %a1: tensor<5x7xf32>) -> tensor<5x7xf32> {
  %e = tensor.empty() : tensor<5x7xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0, %a1 : tensor<5x7xf32>, tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
    ^bb0(%x0: f32, %x1: f32, %o: f32):
      %y = arith.addf %x0, %x1 : f32
      linalg.yield %y : f32
  } -> tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}

func.func @divf(%a0: tensor<5x7xf32>, %a1: tensor<5x7xf32>) -> tensor<5x7xf32> {
  %e = tensor.empty() : tensor<5x7xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0, %a1 : tensor<5x7xf32>, tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
    ^bb0(%x0: f32, %x1: f32, %o: f32):
      %y = arith.divf %x0, %x1 : f32
      linalg.yield %y : f32
  } -> tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}

func.func @mulf(%a0: tensor<5x7xf32>, %a1: tensor<5x7xf32>) -> tensor<5x7xf32> {
  %e = tensor.empty() : tensor<5x7xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0, %a1 : tensor<5x7xf32>, tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
    ^bb0(%x0: f32, %x1: f32, %o: f32):
      %y = arith.mulf %x0, %x1 : f32
      linalg.yield %y : f32
  } -> tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}

func.func @subf(%a0: tensor<5x7xf32>, %a1: tensor<5x7xf32>) -> tensor<5x7xf32> {
  %e = tensor.empty() : tensor<5x7xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0, %a1 : tensor<5x7xf32>, tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
    ^bb0(%x0: f32, %x1: f32, %o: f32):
      %y = arith.subf %x0, %x1 : f32
      linalg.yield %y : f32
  } -> tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}

func.func @absf(%a0: tensor<5x7xf32>) -> tensor<5x7xf32> {
  %e = tensor.empty() : tensor<5x7xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0 : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
    ^bb0(%x0: f32, %o: f32):
      %y = math.absf %x0 : f32
      linalg.yield %y : f32
  } -> tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}

func.func @ceil(%a0: tensor<5x7xf32>) -> tensor<5x7xf32> {
  %e = tensor.empty() : tensor<5x7xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0 : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
    ^bb0(%x0: f32, %o: f32):
      %y = math.ceil %x0 : f32
      linalg.yield %y : f32
  } -> tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}

func.func @exp(%a0: tensor<5x7xf32>) -> tensor<5x7xf32> {
  %e = tensor.empty() : tensor<5x7xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0 : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
    ^bb0(%x0: f32, %o: f32):
      %y = math.exp %x0 : f32
      linalg.yield %y : f32
  } -> tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}

func.func @floor(%a0: tensor<5x7xf32>) -> tensor<5x7xf32> {
  %e = tensor.empty() : tensor<5x7xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0 : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
    ^bb0(%x0: f32, %o: f32):
      %y = math.floor %x0 : f32
      linalg.yield %y : f32
  } -> tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}

func.func @log(%a0: tensor<5x7xf32>) -> tensor<5x7xf32> {
  %e = tensor.empty() : tensor<5x7xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0 : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
    ^bb0(%x0: f32, %o: f32):
      %y = math.log %x0 : f32
      linalg.yield %y : f32
  } -> tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}

func.func @negf(%a0: tensor<5x7xf32>) -> tensor<5x7xf32> {
  %e = tensor.empty() : tensor<5x7xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0 : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
    ^bb0(%x0: f32, %o: f32):
      %y = arith.negf %x0 : f32
      linalg.yield %y : f32
  } -> tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}

func.func @rsqrt(%a0: tensor<5x7xf32>) -> tensor<5x7xf32> {
  %e = tensor.empty() : tensor<5x7xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0 : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) {
    ^bb0(%x0: f32, %o: f32):
      %y = math.rsqrt %x0 : f32
      linalg.yield %y : f32
  } -> tensor<5x7xf32>
  return %r : tensor<5x7xf32>
}

func.func @ctlz(%a0: tensor<5x7xi32>) -> tensor<5x7xi32> {
  %e = tensor.empty() : tensor<5x7xi32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%a0 : tensor<5x7xi32>) outs(%e : tensor<5x7xi32>) {
    ^bb0(%x0: i32, %o: i32):
      %y = math.ctlz %x0 : i32
      linalg.yield %y : i32
  } -> tensor<5x7xi32>
  return %r : tensor<5x7xi32>
}
