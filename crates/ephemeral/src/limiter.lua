-- Takes one from each bucket (GCRA), or nothing from any. A bucket is the moment at which it will be full again, in microseconds of the clock of
-- this server, and is forgotten then.
-- KEYS: the buckets; ARGV, for each of them: microseconds until one comes back, how many come at once.
-- Answer: microseconds until one may be taken from each, 0 if it was; then, for each bucket, until it is full.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local wait = 0
local full_at = {}
local function keep(key, at)
    redis.call('SET', key, string.format('%.0f', at), 'PX', math.ceil((at - now) / 1000) + 1)
end
for i, key in ipairs(KEYS) do
    local each = tonumber(ARGV[2 * i - 1])
    local room = each * tonumber(ARGV[2 * i])
    local at = tonumber(redis.call('GET', key) or now) or now
    if at < now then at = now end
    -- Later than an empty one is full: the clock was set back since. It is empty, then, and no more than that.
    if at - now > room then
        at = now + room
        keep(key, at)
    end
    full_at[i] = at
    wait = math.max(wait, at + each - now - room)
end
local answer = { wait }
for i, key in ipairs(KEYS) do
    if wait == 0 then
        full_at[i] = full_at[i] + tonumber(ARGV[2 * i - 1])
        keep(key, full_at[i])
    end
    answer[i + 1] = full_at[i] - now
end
return answer
