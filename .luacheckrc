-- For `make check`: Lua as Redis runs it (Lua Scripting, "The Lua API": https://redis.io/docs/latest/develop/interact/programmability/lua-api/).
std = {
  read_globals = {
    redis = { fields = { "call" } },
    cjson = { fields = { "encode", "decode" } },
    "KEYS", "ARGV", "ipairs", "tonumber", "unpack",
    math = { fields = { "ceil", "floor", "max", "min" } },
    string = { fields = { "format", "match", "sub" } },
  },
}
max_line_length = 120
