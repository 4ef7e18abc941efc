-- Counts one request against the leaky buckets of a client, all of them or none; returns 1 if it may pass, 0 if not.
-- The same arithmetic as filter/rate.rs, in numbers that a double holds exactly.
--
-- KEYS[1]   the client
-- ARGV[1,2] what leaks from the first bucket in a second, and what it holds, in thousandths of a request; 0 0 is no bucket
-- ARGV[3,4] the same of the second bucket
-- ARGV[5]   the time in milliseconds, for tests: nothing expires by it. Without it, the time of this server
local REQUEST = 1000
-- A clock that was set back by more than this does not close a bucket until it has caught up.
local SET_BACK = 60000

local now = tonumber(ARGV[5])
if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- For each bucket what came ahead of time, and the moment of the last request; 0 if there was none.
local buckets = {0, 0, 0, 0}
local known = redis.call('GET', KEYS[1])
if known then
    local index = 0
    for number in string.gmatch(known, '%d+') do
        index = index + 1
        buckets[index] = tonumber(number)
    end
end

local kept = 0
for index = 1, 3, 2 do
    local leak, burst = tonumber(ARGV[index]), tonumber(ARGV[index + 1])
    if leak > 0 then
        local excess, last = 0, buckets[index + 1]
        if last == 0 then
            last = now
        else
            local passed = now - last
            if passed < -SET_BACK then
                passed, last = 1, now
            elseif passed < 0 then
                passed = 0
            else
                last = now
            end
            local leaked = math.floor(leak / 1000) * passed + math.floor(leak % 1000 * passed / 1000)
            excess = math.max(buckets[index] + REQUEST - leaked, 0)
            if excess > burst then
                return 0
            end
        end
        buckets[index], buckets[index + 1] = excess, last
        -- Afterwards it makes no difference that the client has been here.
        kept = math.max(kept, last - now + math.ceil((excess + REQUEST) * 1000 / leak))
    end
end
local value = string.format('%.0f %.0f %.0f %.0f', unpack(buckets))
if ARGV[5] then
    redis.call('SET', KEYS[1], value)
else
    redis.call('SET', KEYS[1], value, 'PX', string.format('%.0f', kept))
end
return 1
