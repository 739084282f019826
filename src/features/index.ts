// THE ordered list of features. What stands first is applied first; a feature that is not here does not exist.

import { directResponse } from './direct-response.js';
import { requestHeaderModifier, responseHeaderModifier } from './header-modifiers.js';
import { requestMirror } from './request-mirror.js';
import { requestRedirect } from './request-redirect.js';
import { retry } from './retry.js';
import { timeouts } from './timeouts.js';
import { urlRewrite } from './url-rewrite.js';

export const features = [
  timeouts,
  retry,
  requestHeaderModifier,
  responseHeaderModifier,
  requestMirror,
  urlRewrite,
  requestRedirect,
  directResponse,
] as const;
