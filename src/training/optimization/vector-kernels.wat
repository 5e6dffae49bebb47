;; What a training step does to all parameters at once, four at a time. deploy/assemble-kernels.mjs makes vector-kernels.ts of it.
;; Addresses are in bytes and may have any alignment; counts are numbers of float32, multiples of four, at least four.
;; Every loop runs while the first address is below its end. Nothing is called in a loop: engines do not inline calls in WebAssembly.
(module
  ;; The limit is that of the format; an import may have a lower one.
  (import "host" "memory" (memory 1 65536 shared))

  ;; The address behind `count` numbers that start at `address`.
  (func $behind (param $address i32) (param $count i32) (result i32)
    (i32.add (local.get $address) (i32.shl (local.get $count) (i32.const 2))))

  ;; The sum of squares: of up to 1024 numbers in single precision, of these sums in double. Four quarters are read side by side, so that
  ;; no addition waits for the one before it, nor a read for the one before it.
  (func (export "sumOfSquares") (param $values i32) (param $count i32) (result f64)
    (local $end i32) (local $stop i32) (local $pause i32) (local $x v128)
    (local $second i32) (local $third i32) (local $fourth i32)
    (local $sum0 v128) (local $sum1 v128) (local $sum2 v128) (local $sum3 v128) (local $total v128)
    (local.set $end (call $behind (local.get $values) (local.get $count)))
    ;; Bytes of a quarter, in whole groups of four numbers.
    (local.set $stop (i32.and (local.get $count) (i32.const -16)))
    (local.set $second (i32.add (local.get $values) (local.get $stop)))
    (local.set $third (i32.add (local.get $second) (local.get $stop)))
    (local.set $fourth (i32.add (local.get $third) (local.get $stop)))
    (local.set $stop (local.get $second))
    (block $short
      (loop $block
        (br_if $short (i32.ge_u (local.get $values) (local.get $stop)))
        (local.set $pause (i32.add (local.get $values) (i32.const 1024)))
        (if (i32.gt_u (local.get $pause) (local.get $stop)) (then (local.set $pause (local.get $stop))))
        (local.set $sum0 (v128.const i32x4 0 0 0 0))
        (local.set $sum1 (local.get $sum0))
        (local.set $sum2 (local.get $sum0))
        (local.set $sum3 (local.get $sum0))
        (loop $next
          (local.set $x (v128.load (local.get $values)))
          (local.set $sum0 (f32x4.add (local.get $sum0) (f32x4.mul (local.get $x) (local.get $x))))
          (local.set $x (v128.load (local.get $second)))
          (local.set $sum1 (f32x4.add (local.get $sum1) (f32x4.mul (local.get $x) (local.get $x))))
          (local.set $x (v128.load (local.get $third)))
          (local.set $sum2 (f32x4.add (local.get $sum2) (f32x4.mul (local.get $x) (local.get $x))))
          (local.set $x (v128.load (local.get $fourth)))
          (local.set $sum3 (f32x4.add (local.get $sum3) (f32x4.mul (local.get $x) (local.get $x))))
          (local.set $second (i32.add (local.get $second) (i32.const 16)))
          (local.set $third (i32.add (local.get $third) (i32.const 16)))
          (local.set $fourth (i32.add (local.get $fourth) (i32.const 16)))
          (local.set $values (i32.add (local.get $values) (i32.const 16)))
          (br_if $next (i32.lt_u (local.get $values) (local.get $pause))))
        (local.set $x (f32x4.add
          (f32x4.add (local.get $sum0) (local.get $sum1))
          (f32x4.add (local.get $sum2) (local.get $sum3))))
        (local.set $total (f64x2.add (local.get $total) (f64x2.promote_low_f32x4 (local.get $x))))
        (local.set $total (f64x2.add
          (local.get $total)
          (f64x2.promote_low_f32x4
            (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $x) (local.get $x)))))
        (br $block)))
    ;; Up to three groups of four are behind the quarters.
    (block $done
      (loop $rest
        (br_if $done (i32.ge_u (local.get $fourth) (local.get $end)))
        (local.set $x (v128.load (local.get $fourth)))
        (local.set $x (f32x4.mul (local.get $x) (local.get $x)))
        (local.set $total (f64x2.add (local.get $total) (f64x2.promote_low_f32x4 (local.get $x))))
        (local.set $total (f64x2.add
          (local.get $total)
          (f64x2.promote_low_f32x4
            (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $x) (local.get $x)))))
        (local.set $fourth (i32.add (local.get $fourth) (i32.const 16)))
        (br $rest)))
    (f64.add (f64x2.extract_lane 0 (local.get $total)) (f64x2.extract_lane 1 (local.get $total))))

  ;; into moves towards from by its share.
  (func (export "blend") (param $into i32) (param $from i32) (param $count i32) (param $share f32)
    (local $end i32) (local $old v128) (local $share4 v128)
    (local.set $share4 (f32x4.splat (local.get $share)))
    (local.set $end (call $behind (local.get $into) (local.get $count)))
    (loop $next
      (local.set $old (v128.load (local.get $into)))
      (v128.store (local.get $into) (f32x4.add
        (local.get $old)
        (f32x4.mul (local.get $share4) (f32x4.sub (v128.load (local.get $from)) (local.get $old)))))
      (local.set $from (i32.add (local.get $from) (i32.const 16)))
      (local.set $into (i32.add (local.get $into) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $into) (local.get $end)))))

  ;; Stochastic gradient descent with Nesterov's momentum:
  ;; s = scale g + decay w; v = momentum v + s; w -= rate (s + momentum v).
  (func (export "sgd")
    (param $weights i32) (param $velocity i32) (param $gradient i32) (param $count i32)
    (param $scale f32) (param $rate f32) (param $momentum f32) (param $decay f32)
    (local $end i32) (local $w v128) (local $s v128) (local $v v128)
    (local $scale4 v128) (local $rate4 v128) (local $momentum4 v128) (local $decay4 v128)
    (local.set $scale4 (f32x4.splat (local.get $scale)))
    (local.set $rate4 (f32x4.splat (local.get $rate)))
    (local.set $momentum4 (f32x4.splat (local.get $momentum)))
    (local.set $decay4 (f32x4.splat (local.get $decay)))
    (local.set $end (call $behind (local.get $weights) (local.get $count)))
    (loop $next
      (local.set $w (v128.load (local.get $weights)))
      (local.set $s (f32x4.add
        (f32x4.mul (local.get $scale4) (v128.load (local.get $gradient)))
        (f32x4.mul (local.get $decay4) (local.get $w))))
      (local.set $v (f32x4.add
        (f32x4.mul (local.get $momentum4) (v128.load (local.get $velocity)))
        (local.get $s)))
      (v128.store (local.get $velocity) (local.get $v))
      (v128.store (local.get $weights) (f32x4.sub
        (local.get $w)
        (f32x4.mul (local.get $rate4)
          (f32x4.add (local.get $s) (f32x4.mul (local.get $momentum4) (local.get $v))))))
      (local.set $velocity (i32.add (local.get $velocity) (i32.const 16)))
      (local.set $gradient (i32.add (local.get $gradient) (i32.const 16)))
      (local.set $weights (i32.add (local.get $weights) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $weights) (local.get $end)))))

  ;; Adam with decay apart from the gradient:
  ;; m moves towards g' = scale g by share1, v towards g'^2 by share2; w = kept w - stride m / (sqrt(spread v) + 1e-8).
  (func (export "adamW")
    (param $weights i32) (param $mean i32) (param $square i32) (param $gradient i32) (param $count i32)
    (param $scale f32) (param $share1 f32) (param $share2 f32) (param $kept f32) (param $stride f32) (param $spread f32)
    (local $end i32) (local $g v128) (local $m v128) (local $v v128) (local $tiny v128)
    (local $scale4 v128) (local $mean4 v128) (local $square4 v128)
    (local $kept4 v128) (local $stride4 v128) (local $spread4 v128)
    (local.set $scale4 (f32x4.splat (local.get $scale)))
    (local.set $mean4 (f32x4.splat (local.get $share1)))
    (local.set $square4 (f32x4.splat (local.get $share2)))
    (local.set $kept4 (f32x4.splat (local.get $kept)))
    (local.set $stride4 (f32x4.splat (local.get $stride)))
    (local.set $spread4 (f32x4.splat (local.get $spread)))
    (local.set $tiny (f32x4.splat (f32.const 1e-8)))
    (local.set $end (call $behind (local.get $weights) (local.get $count)))
    (loop $next
      (local.set $g (f32x4.mul (local.get $scale4) (v128.load (local.get $gradient))))
      (local.set $m (v128.load (local.get $mean)))
      (local.set $m (f32x4.add
        (local.get $m)
        (f32x4.mul (local.get $mean4) (f32x4.sub (local.get $g) (local.get $m)))))
      (local.set $v (v128.load (local.get $square)))
      (local.set $v (f32x4.add
        (local.get $v)
        (f32x4.mul
          (local.get $square4)
          (f32x4.sub (f32x4.mul (local.get $g) (local.get $g)) (local.get $v)))))
      (v128.store (local.get $mean) (local.get $m))
      (v128.store (local.get $square) (local.get $v))
      (v128.store (local.get $weights) (f32x4.sub
        (f32x4.mul (local.get $kept4) (v128.load (local.get $weights)))
        (f32x4.div
          (f32x4.mul (local.get $stride4) (local.get $m))
          (f32x4.add (f32x4.sqrt (f32x4.mul (local.get $spread4) (local.get $v))) (local.get $tiny)))))
      (local.set $mean (i32.add (local.get $mean) (i32.const 16)))
      (local.set $square (i32.add (local.get $square) (i32.const 16)))
      (local.set $gradient (i32.add (local.get $gradient) (i32.const 16)))
      (local.set $weights (i32.add (local.get $weights) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $weights) (local.get $end))))))
