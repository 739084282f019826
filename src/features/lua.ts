// A Lua script as an HTTP filter. Knows no kind.

import { Lua, LuaPerRoute } from '../gen/envoy/extensions/filters/http/lua/v3/lua.js';
import { packAny, typeUrlOf } from './any.js';
import type { FilterExtension } from './extension-parts.js';
import type { Extensions } from './extensions.js';

/** A script that does nothing stands in where Envoy refuses the real one: Lua can only fail open. */
const idle = packAny(Lua, Lua.fromPartial({}));

/** The filter of a script, and what its `filterContext()` gives. */
export function compileLua({ name, lua = '', config }: Extensions[number]): FilterExtension {
  const script = Lua.fromPartial({
    defaultSourceCode: { specifier: { $case: 'inlineString', value: lua } },
    statPrefix: name,
  });
  const filter = packAny(Lua, script);
  return {
    kind: 'filter',
    type: typeUrlOf(Lua),
    filter: () => filter,
    fallback: idle,
    ...(config === undefined
      ? {}
      : { perRoute: packAny(LuaPerRoute, LuaPerRoute.fromPartial({ filterContext: config })) }),
  };
}
