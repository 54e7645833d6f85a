function loop(n)
  local sum = 0
  local i = 0
  while i < n do
    sum = sum + i * i
    i = i + 1
  end
  return sum
end
function fib(n)
  if n < 2 then return n end
  return fib(n - 1) + fib(n - 2)
end
function imports(n)
  local sum = 0
  for _ = 1, n do sum = inc(sum) end
  return sum
end
function waits(n)
  local sum = 0
  for _ = 1, n do sum = coroutine.yield(sum) end
  return sum
end
function large(n)
  local a, b, c, d, e, f = n + 1, n + 2, n + 3, n + 4, n + 5, n + 6
  local g, h, i, j, k = n + 7, n + 8, n + 9, n + 10, n + 11
  local l = coroutine.yield(n)
  return a + b + c + d + e + f + g + h + i + j + k + l
end
function empty() end
