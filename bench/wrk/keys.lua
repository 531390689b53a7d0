-- One of BENCH_COUNT customers' keys for each request, from BENCH_FIRST on: at random, or in turn with
-- BENCH_ORDER=turn, beginning with BENCH_START.
dofile(os.getenv("BENCH_WRK") .. "/report.lua")
local first, count = tonumber(os.getenv("BENCH_FIRST")), tonumber(os.getenv("BENCH_COUNT"))
local in_turn, turn = os.getenv("BENCH_ORDER") == "turn", tonumber(os.getenv("BENCH_START") or 0) - 1
local before, after

init = function()
    math.randomseed(tonumber(os.getenv("BENCH_SEED") or 1))
    local text = wrk.format("GET", nil, { ["x-api-key"] = "@KEY@" })
    before, after = text:match("^(.*)@KEY@(.*)$")
end

request = function()
    if in_turn then turn = (turn + 1) % count else turn = math.random(count) - 1 end
    return before .. string.format("bench-customer-%07d-key", first + turn) .. after
end
