"""What Redis runs for us, each script as one step."""

# KEYS: the stream, the mark's key. ARGV: what to remember with the entry's id, for how many seconds, how many
# entries to keep (or nothing), then the entry's fields and values.
# The entry comes before the mark: a script that fails keeps what it did, and a mark alone loses a result.
PUBLISH = """
local first = redis.call('GET', KEYS[2])
if first then return first end
local add = {'XADD', KEYS[1]}
if ARGV[3] ~= '' then
  for _, word in ipairs({'MAXLEN', '~', ARGV[3]}) do add[#add + 1] = word end
end
add[#add + 1] = '*'
for at = 4, #ARGV do add[#add + 1] = ARGV[at] end
local mark = redis.call(unpack(add)) .. ' ' .. ARGV[1]
redis.call('SET', KEYS[2], mark, 'EX', ARGV[2])
return mark
"""

# KEYS: the stream, a key beside it. ARGV: what to write there.
# Consumers see nothing of it: no stream takes the id 0-0, and Redis says so once it has let the user pass.
CHECK = """
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'stream' and kind ~= 'none' then return redis.error_reply('WRONGTYPE of the stream') end
local refused = redis.pcall('XADD', KEYS[1], '0-0', 'probe', ARGV[1])
if not string.find(refused.err, 'greater than 0-0', 1, true) then return refused end
redis.call('SET', KEYS[2], ARGV[1], 'EX', 60)
local back = redis.call('GET', KEYS[2])
redis.call('DEL', KEYS[2])
return back
"""
